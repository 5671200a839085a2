"""Refunding an order in the admin, or cancelling it before its payment is decided. Both are asked twice."""

from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from payments.models import Order, OrderLine, Payment, Refund, RefundLine
from payments.processing import cancelling, refunds
from shop.admin.base import person
from shop.core import money, prices
from shop.core.plain_text import OneLineField

# What a colleague can do about a refund that isn't simply on its way.
ADVICE: dict[str, str] = {
    Refund.State.REQUESTED: "It is sent within seconds, once the payment is captured.",
    Refund.State.SENT: "Stripe is being asked.",
    Refund.State.UNKNOWN: "Stripe's answer is unclear or a refusal. The shop looks for it and tries again each minute.",
    Refund.State.PENDING: "Stripe waits for the bank. Nothing to do.",
    Refund.State.REQUIRES_ACTION: "Stripe has written to the customer, who must say where to send it.",
    Refund.State.SUCCEEDED: "Sent back. The bank may take five to ten business days to show it.",
    Refund.State.FAILED: "The bank sent it back. Ask the customer for another way, and refund again.",
    Refund.State.CANCELED: "It was canceled at Stripe. Refund again, if it is still due.",
    Refund.State.WITHDRAWN: "The payment was never captured, so there was nothing to refund.",
}


class AmountField(prices.PriceField):
    """An amount that may be left empty, which means nothing."""

    def clean(self, value: Any) -> int:
        amount = super().clean(value) if str(value or "").strip() else 0
        if amount < 0:
            raise forms.ValidationError("Enter an amount above 0, or leave it empty.")
        return amount


@dataclass(frozen=True)
class Row:
    """The fields of the form that are about one order line."""

    line: OrderLine
    paid: str
    amount: forms.BoundField
    numbers: forms.BoundField
    units: forms.BoundField


class UnitsForm(forms.Form):
    """Which pieces of an order a refund is for, and what becomes of them."""

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines = list(order.lines.all())
        for line in self.lines:
            self.fields[f"numbers-{line.pk}"] = numbers_field(line)
            self.fields[f"units-{line.pk}"] = units_field()

    def rows(self) -> list[tuple[OrderLine, forms.BoundField, forms.BoundField]]:
        return [(line, self[f"numbers-{line.pk}"], self[f"units-{line.pk}"]) for line in self.lines]

    def parts(self) -> list[refunds.LinePart]:
        """Return the pieces that a valid form names."""
        data = self.cleaned_data
        parts = [
            refunds.LinePart(
                line=line, amount=0, numbers=data[f"numbers-{line.pk}"], units=data[f"units-{line.pk}"]
            )
            for line in self.lines
        ]
        return [part for part in parts if part.numbers]


def numbers_field(line: OrderLine) -> forms.TypedMultipleChoiceField:
    return forms.TypedMultipleChoiceField(
        required=False,
        coerce=int,
        choices=[(number, f"No. {number:,}") for number in line.numbers],
        widget=forms.CheckboxSelectMultiple,
    )


def units_field() -> forms.ChoiceField:
    return forms.ChoiceField(choices=RefundLine.Units, initial=RefundLine.Units.WITHHELD)


class RefundForm(forms.Form):
    """What to refund of an order: for each line an amount and pieces; shipping; goodwill."""

    shipping = AmountField(required=False)
    goodwill = AmountField(required=False, help_text="For no piece in particular.")
    reason = forms.ChoiceField(choices=Refund.Reason)
    note = OneLineField(
        required=False, max_length=500, help_text="For colleagues. The customer doesn't see it."
    )

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order = order
        self.lines = list(order.lines.all())
        for line in self.lines:
            self.fields[f"amount-{line.pk}"] = AmountField(required=False)
            self.fields[f"numbers-{line.pk}"] = numbers_field(line)
            self.fields[f"units-{line.pk}"] = units_field()
        for field in self.fields.values():
            if isinstance(field, AmountField):
                field.currency = order.currency

    def rows(self) -> list[Row]:
        return [
            Row(
                line=line,
                paid=money.format_amount(
                    amount=refunds.line_paid(line, self.order), currency=self.order.currency
                ),
                amount=self[f"amount-{line.pk}"],
                numbers=self[f"numbers-{line.pk}"],
                units=self[f"units-{line.pk}"],
            )
            for line in self.lines
        ]

    def parts(self) -> list[refunds.LinePart]:
        """Return what a valid form refunds of the lines."""
        data = self.cleaned_data
        parts = [
            refunds.LinePart(
                line=line,
                amount=data[f"amount-{line.pk}"],
                numbers=data[f"numbers-{line.pk}"],
                units=data[f"units-{line.pk}"],
            )
            for line in self.lines
        ]
        return [part for part in parts if part.amount or part.numbers]

    def amount(self) -> int:
        """Return the sum of a valid form."""
        lines = sum(part.amount for part in self.parts())
        return int(lines + self.cleaned_data["shipping"] + self.cleaned_data["goodwill"])

    def request(self, *, by: Any) -> Refund:
        """Request what a valid form says. Raises refunds.RefundRefused."""
        data = self.cleaned_data
        return refunds.request(
            order=self.order,
            parts=self.parts(),
            shipping=data["shipping"],
            goodwill=data["goodwill"],
            reason=data["reason"],
            note=data["note"],
            by=by,
        )


def may_cancel(request: HttpRequest, order: Order) -> bool:
    """Whether the page offers to cancel the order: the person may, and its payment isn't decided yet."""
    undecided = not order.payment.decision and order.payment.state in cancelling.UNDECIDED
    return request.user.has_perm("payments.add_refund") and undecided


def cancel_page(request: HttpRequest, *, admin_site: admin.AdminSite, order_id: int) -> HttpResponse:
    """Ask first, then cancel an order whose payment isn't decided yet."""
    if not request.user.has_perms(["payments.view_order", "payments.add_refund"]):
        raise PermissionDenied
    order = get_object_or_404(Order.objects.select_related("payment", "hold"), pk=order_id)
    problem = ""
    if request.method == "POST":
        try:
            cancelling.cancel(order=order, by=person(request))
        except cancelling.CancelRefused as refused:
            problem = str(refused)
        else:
            messages.success(request, "The order is cancelled. Reload this page in a moment.")
            return HttpResponseRedirect(reverse(f"{admin_site.name}:payments_order_change", args=[order.pk]))
    context = {
        **admin_site.each_context(request),
        "title": f"Cancel order {order.number}",
        "order": order,
        "problem": problem or ("" if may_cancel(request, order) else cancelling.why_not(order)),
    }
    return TemplateResponse(request, "admin/payments/order/cancel.html", context)


def units_page(
    request: HttpRequest, *, admin_site: admin.AdminSite, order_id: int, refund_id: int
) -> HttpResponse:
    """Ask what becomes of the pieces of a refund that was made in Stripe's dashboard."""
    if not request.user.has_perms(["payments.view_order", "payments.add_refund"]):
        raise PermissionDenied
    found = Refund.objects.select_related("payment__order__hold__drop")
    refund = get_object_or_404(found, pk=refund_id, payment__order=order_id, units_decided_at=None)
    order = refund.payment.order
    form = UnitsForm(request.POST if request.method == "POST" else None, order=order)
    if form.is_bound and form.is_valid():
        try:
            refunds.decide_units(refund=refund, parts=form.parts(), by=cast("User", request.user))
        except refunds.RefundRefused as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, "Noted.")
            return HttpResponseRedirect(reverse(f"{admin_site.name}:payments_order_change", args=[order.pk]))
    context = {
        **admin_site.each_context(request),
        "title": f"Pieces of a refund of order {order.number}",
        "order": order,
        "form": form,
        "amount": money.format_amount(amount=refund.amount, currency=refund.currency),
    }
    return TemplateResponse(request, "admin/payments/order/units.html", context)


def urls(*, admin_site: admin.AdminSite) -> list[URLPattern]:
    refund = admin_site.admin_view(partial(refund_page, admin_site=admin_site))
    cancel = admin_site.admin_view(partial(cancel_page, admin_site=admin_site))
    units = admin_site.admin_view(partial(units_page, admin_site=admin_site))
    return [
        path("<int:order_id>/refunds/<int:refund_id>/units/", units, name="payments_order_units"),
        path("<int:order_id>/refund/", refund, name="payments_order_refund"),
        path("<int:order_id>/cancel/", cancel, name="payments_order_cancel"),
    ]


def may_refund(request: HttpRequest, order: Order) -> bool:
    """Whether the page offers a refund: the person may, and something is left to refund."""
    decided = order.payment.state in refunds.DECIDED and order.payment.decision == Payment.Decision.CAPTURE
    return request.user.has_perm("payments.add_refund") and decided and refunds.remaining(order=order) > 0


def refund_page(request: HttpRequest, *, admin_site: admin.AdminSite, order_id: int) -> HttpResponse:
    """Show the form; asked for the sum once more, request the refund. What was typed stays."""
    if not request.user.has_perms(["payments.view_order", "payments.add_refund"]):
        raise PermissionDenied
    order = get_object_or_404(Order.objects.select_related("payment", "hold__drop"), pk=order_id)
    form = RefundForm(request.POST if request.method == "POST" else None, order=order)
    asked = ""
    if form.is_bound and form.is_valid():
        amount = form.amount()
        if request.POST.get("confirmed") == str(amount):
            try:
                form.request(by=person(request))
            except refunds.RefundRefused as refused:
                form.add_error(None, str(refused))
            else:
                text = money.format_amount(amount=amount, currency=order.currency)
                messages.success(request, f"The refund of {text} is requested. Reload this page in a moment.")
                return HttpResponseRedirect(
                    reverse(f"{admin_site.name}:payments_order_change", args=[order.pk])
                )
        else:
            asked = str(amount)
    context = {
        **admin_site.each_context(request),
        "title": f"Refund order {order.number}",
        "order": order,
        "form": form,
        "remaining": money.format_amount(amount=refunds.remaining(order=order), currency=order.currency),
        "shipping": money.format_amount(amount=refunds.shipping_paid(order), currency=order.currency),
        "asked": asked,
        "asked_text": money.format_amount(amount=int(asked or 0), currency=order.currency),
    }
    return TemplateResponse(request, "admin/payments/order/refund.html", context)


def listed(order: Order) -> list[tuple[Refund, str, str]]:
    """Return the order's refunds, newest first, each with its amount and what can be done about it."""
    found = order.payment.refunds.select_related("by").prefetch_related("lines__line")
    return [
        (refund, money.format_amount(amount=refund.amount, currency=refund.currency), ADVICE[refund.state])
        for refund in found
    ]
