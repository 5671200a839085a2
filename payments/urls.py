"""Addresses behind a hold's or an order's token, which authorises everything there."""

from django.urls import path

from payments import views

urlpatterns = [
    path("holds/<str:token>/", views.checkout_page, name="checkout"),
    path("holds/<str:token>/pay/", views.pay, name="pay"),
    path("holds/<str:token>/quote/", views.quote, name="quote"),
    path("holds/<str:token>/change/", views.change_hold, name="change-hold"),
    path("holds/<str:token>/give-back/", views.release_hold, name="give-back"),
    path("orders/return/<str:token>/", views.payment_return, name="payment-return"),
    path("orders/<str:token>/", views.order_page, name="order"),
    path("orders/<str:token>/state.json", views.order_state, name="order-state"),
]
