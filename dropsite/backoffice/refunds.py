"""What is to be refunded of a cancelled drop, and the button that refunds all of it.

The list has numbers and amounts, but nothing about shoppers, so that merchandisers may read it.
"""

import csv
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from drops.models import Drop
from payments.models import Payment
from payments.orders import cancellation
from payments.processing import mass_refunds, refunds
from shop.core import money

REFUNDS_PER_PAGE = 200
CSV_HEADER = ("order", "amount", "currency", "payment", "charge", "charged at")


@dataclass(frozen=True)
class Summary:
    """How many payments are to be refunded and their sum, and how many may still join them."""

    count: int
    sum: str
    undecided: int


def summary(*, drop: Drop) -> Summary | None:
    """Return how many payments are to be refunded, and their sum; None unless the drop is cancelled."""
    if drop.cancelled_at is None:
        return None
    amounts = list(cancellation.to_refund(drop=drop).values_list("due", flat=True))
    undecided = Payment.objects.filter(order__hold__drop=drop).exclude(state__in=Payment.FINAL)
    return Summary(
        count=len(amounts),
        sum=money.format_amount(amount=sum(amounts), currency=drop.currency),
        undecided=undecided.count(),
    )


def urls(*, admin_site: AdminSite) -> list[URLPattern]:
    view = admin_site.admin_view(partial(refunds_page, admin_site=admin_site))
    return [path("<uuid:drop_id>/refunds/", view, name="drops_drop_refunds")]


def refunds_page(request: HttpRequest, *, admin_site: AdminSite, drop_id: UUID) -> HttpResponse:
    """Serve the list, as a page or as a CSV file."""
    if not request.user.has_perm("drops.view_drop"):
        raise PermissionDenied
    drop = get_object_or_404(Drop, pk=drop_id, cancelled_at__isnull=False)
    if request.method == "POST":
        return refund_all(request, drop=drop)
    if request.GET.get("format") == "csv":
        return csv_file(drop=drop)
    rows = Paginator(cancellation.to_refund(drop=drop), REFUNDS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        **admin_site.each_context(request),
        "title": f"Refunds due: “{drop}”",
        "drop": drop,
        "refunds": summary(drop=drop),
        "whole_sum": money.format_amount(amount=mass_refunds.preview(drop=drop).sum, currency=drop.currency),
        "page": rows,
        "rows": [(payment, amount_due(payment)) for payment in rows],
        "whole": mass_refunds.preview(drop=drop),
        "may_refund": request.user.has_perm("payments.add_refund"),
        "may_see_orders": request.user.has_perm("payments.view_order"),
    }
    return TemplateResponse(request, "admin/drops/drop/refunds.html", context)


def refund_all(request: HttpRequest, *, drop: Drop) -> HttpResponse:
    """Refund every order that the page has counted."""
    if not request.user.has_perm("payments.add_refund"):
        raise PermissionDenied
    try:
        seen = mass_refunds.Preview(
            count=int(request.POST.get("count", "")[:9]), sum=int(request.POST.get("sum", "")[:18])
        )
        mass_refunds.request(drop=drop, seen=seen, by=cast("AbstractBaseUser", request.user))
    except ValueError:
        messages.error(
            request, "Nothing was refunded: the form had no count and sum. Press the button again."
        )
    except refunds.RefundRefused as refused:
        messages.error(request, str(refused))
    else:
        text = money.format_amount(amount=seen.sum, currency=drop.currency)
        messages.success(
            request, f"{seen.count:,} refunds are requested, {text} in all. They are sent one by one."
        )
    return HttpResponseRedirect(request.path)


def csv_file(*, drop: Drop) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="refunds-{drop.slug}.csv"'
    writer = csv.writer(response)
    writer.writerow(CSV_HEADER)
    for payment in cancellation.to_refund(drop=drop):
        amount = money.to_decimal(amount=amount_in_minor_units(payment), currency=payment.currency)
        charged_at = iso(payment.captured_at)
        order = payment.order.number
        writer.writerow((order, amount, payment.currency, payment.intent_id, payment.charge_id, charged_at))
    return response


def amount_due(payment: Payment) -> str:
    return money.format_amount(amount=amount_in_minor_units(payment), currency=payment.currency)


def amount_in_minor_units(payment: Any) -> int:
    """Return the sum that `due` has added to the payment."""
    return int(payment.due)


def iso(at: datetime | None) -> str:
    return at.isoformat() if at else ""
