"""An order on one page: its hold and pieces, its payment and attempts, the ledger, its mails."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from payments import dispatch
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
            gettext_lazy("Goes to"),
            {"fields": ("name", "line1", "line2", "postcode", "city", "region", "country")},
        ),
        (gettext_lazy("Amounts"), {"fields": ("subtotal_text", "shipping_text", "tax_text", "amount")}),
    )

    @admin.display(description=gettext_lazy("drop"), ordering="hold__drop")
    def drop(self, order: Order) -> str:
        return str(order.hold.drop)

    @admin.display(description=gettext_lazy("total"), ordering="total")
    def amount(self, order: Order) -> str:
        return money.text(amount=order.total, currency=order.currency)

    @admin.display(description=gettext_lazy("subtotal"))
    def subtotal_text(self, order: Order) -> str:
        return money.text(amount=order.subtotal, currency=order.currency)

    @admin.display(description=gettext_lazy("shipping"))
    def shipping_text(self, order: Order) -> str:
        return money.text(amount=order.shipping, currency=order.currency)

    @admin.display(description=gettext_lazy("tax"))
    def tax_text(self, order: Order) -> str:
        tax = money.text(amount=order.tax, currency=order.currency)
        return (_("%(tax)s, in the prices") if order.tax_in_price else "%(tax)s") % {"tax": tax}

    @admin.display(description=gettext_lazy("payment"), ordering="payment__state")
    def payment_state(self, order: Order) -> str:
        return order.payment.state

    @admin.display(description=gettext_lazy("hold"), ordering="hold__state")
    def hold_state(self, order: Order) -> str:
        return order.hold.state

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        order = context["original"]
        context |= {
            "hold": order.hold,
            "payment": order.payment,
            "standing": status.read(order=order),
            "lines": line_items.of(hold=order.hold),
            "attempts": order.payment.attempts.all(),
            "ledger": [
                (entry, money.text(amount=entry.amount, currency=entry.currency)) for entry in order.ledger.all()
            ],
            "mails": Email.objects.filter(about=f"order:{order.uuid}"),
            "now": timezone.now(),
            "may_ask": request.user.has_perm("payments.change_payment") and order.payment.state not in Payment.OVER,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> Any:
        ask = require_POST(partial(ask_again, admin_site=self.admin_site))
        return [
            path("<int:order_id>/ask/", self.admin_site.admin_view(ask), name="payments_order_ask"),
            *super().get_urls(),
        ]


def ask_again(request: HttpRequest, *, admin_site: admin.AdminSite, order_id: int) -> HttpResponse:
    """Enqueue the order for processing once more; safe to press at any time."""
    if not request.user.has_perm("payments.change_payment"):
        raise PermissionDenied
    order = get_object_or_404(Order, pk=order_id)
    audit_log.write(who=person(request), about=f"order:{order.number}", act="asked Stripe again")
    dispatch.enqueue_advance(order=order)
    messages.success(request, _("Stripe is being asked. Load this page again in a moment."))
    return HttpResponseRedirect(reverse(f"{admin_site.name}:payments_order_change", args=[order.pk]))
