"""An order on one page: its hold and pieces, its payment and attempts, the ledger, its emails."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from payments import dispatch
from payments.admin import refunds
from payments.models import Order, Payment
from payments.orders import line_items, status
from shop.admin.base import ReadOnlyAdmin, person
from shop.core import audit_log, money
from shop.core.models import Email


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin[Order]):
    list_display = ("number", "created_at", "email", "drop", "amount", "payment_state", "hold_state")
    list_filter = ("payment__state", "hold__state", "hold__drop")
    list_select_related = ("hold__drop", "payment")
    search_fields = ("number", "email", "name")
    change_form_template = "admin/payments/order/change_form.html"
    fieldsets = (
        (None, {"fields": ("number", "created_at", "email", "language", "livemode")}),
        (
            "Shipping to",
            {"fields": ("name", "line1", "line2", "postcode", "city", "region", "country")},
        ),
        ("Amounts", {"fields": ("subtotal_text", "shipping_text", "tax_text", "amount")}),
    )

    @admin.display(description="drop", ordering="hold__drop")
    def drop(self, order: Order) -> str:
        return str(order.hold.drop)

    @admin.display(description="total", ordering="total")
    def amount(self, order: Order) -> str:
        return money.format_amount(amount=order.total, currency=order.currency)

    @admin.display(description="subtotal")
    def subtotal_text(self, order: Order) -> str:
        return money.format_amount(amount=order.subtotal, currency=order.currency)

    @admin.display(description="shipping")
    def shipping_text(self, order: Order) -> str:
        return money.format_amount(amount=order.shipping, currency=order.currency)

    @admin.display(description="tax")
    def tax_text(self, order: Order) -> str:
        tax = money.format_amount(amount=order.tax, currency=order.currency)
        if order.tax_in_price:
            return f"{tax}, included in the prices"
        return tax

    @admin.display(description="payment", ordering="payment__state")
    def payment_state(self, order: Order) -> str:
        return order.payment.state

    @admin.display(description="hold", ordering="hold__state")
    def hold_state(self, order: Order) -> str:
        return order.hold.state

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        order = context["original"]
        context |= {
            "hold": order.hold,
            "payment": order.payment,
            "order_status": status.derive(order=order),
            "lines": line_items.of_order(order=order),
            "attempts": order.payment.attempts.all(),
            "ledger": [
                (entry, money.format_amount(amount=entry.amount, currency=entry.currency))
                for entry in order.ledger.all()
            ],
            "emails": Email.objects.filter(about__startswith=f"order:{order.uuid}"),
            "refunds": refunds.listed(order),
            "can_decide": request.user.has_perm("payments.add_refund"),
            "can_cancel": refunds.may_cancel(request, order),
            "can_refund": refunds.may_refund(request, order),
            "now": timezone.now(),
            "can_advance": request.user.has_perm("payments.change_payment")
            and order.payment.state not in Payment.FINAL,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> Any:
        view = require_POST(partial(check_with_stripe, admin_site=self.admin_site))
        return [
            path("<int:order_id>/check/", self.admin_site.admin_view(view), name="payments_order_check"),
            *refunds.urls(admin_site=self.admin_site),
            *super().get_urls(),
        ]


def check_with_stripe(request: HttpRequest, *, admin_site: admin.AdminSite, order_id: int) -> HttpResponse:
    """Enqueue the order for processing now. Safe to press at any time."""
    if not request.user.has_perm("payments.change_payment"):
        raise PermissionDenied
    order = get_object_or_404(Order, pk=order_id)
    audit_log.write(actor=person(request), about=f"order:{order.number}", action="checked with Stripe")
    dispatch.enqueue_advance(order=order)
    messages.success(request, "The order is being checked with Stripe. Reload this page in a moment.")
    return HttpResponseRedirect(reverse(f"{admin_site.name}:payments_order_change", args=[order.pk]))
