"""Shopper pages of drops. The gate serves the waiting room's addresses, /line/…"""

from django.urls import path

from drops import views

urlpatterns = [
    path("", views.front, name="front"),
    path("drops/<slug:slug>/", views.drop, name="drop"),
    path("drops/<slug:slug>/check/", views.check, name="check"),
    path("drops/<slug:slug>/mine/", views.mine, name="mine"),
    path("drops/<slug:slug>/pick/", views.pick, name="pick"),
    path("drops/<slug:slug>/hold/", views.hold, name="hold"),
    path("archive/", views.archive, name="archive"),
    path("archive/<int:page>/", views.archive, name="archive-page"),
    path("how/", views.how, name="how"),
]
