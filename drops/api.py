"""/api/v1/drops/: drops for programs. Read-only, without cookies, cached like the pages."""

from typing import Any

from django.http import Http404, HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from drops import queries
from drops.lifecycle import Phase
from drops.models import Drop
from shop.core import caching, money

BANDS = [
    ("in", "available"),
    ("low", "a tenth or less is left"),
    ("held", "none is free, some may come back"),
    ("gone", "sold out"),
]
HIDDEN_PHASES = (Phase.DRAFT, Phase.CANCELLED)  # such drops are 404 here
CACHE_SECONDS = 1  # at the edge: a crowd costs one request a second


class PriceSerializer(serializers.Serializer[dict[str, Any]]):
    """An amount of money."""

    amount = serializers.IntegerField(help_text="In the currency's smallest unit: 9600 EUR is 96 euros.")
    currency = serializers.CharField(help_text="ISO 4217.")
    decimal = serializers.CharField(help_text='The amount with a decimal point, "96.00".')


class EditionSerializer(serializers.Serializer[dict[str, Any]]):
    """A variant in a drop."""

    sku = serializers.CharField()
    name = serializers.CharField(help_text="What tells it from the other editions; empty for the only one.")
    quantity = serializers.IntegerField(help_text='How many pieces exist: the "of 500".')
    limit_per_order = serializers.IntegerField()
    price = PriceSerializer(help_text="Price of one piece.")
    band = serializers.ChoiceField(choices=BANDS, help_text="How much is left.")


class TimesSerializer(serializers.Serializer[Drop]):
    """Times of a drop, in UTC; null if an event has no time or hasn't happened."""

    lobby_opens = serializers.DateTimeField(source="lobby_opens_at", allow_null=True)
    opens = serializers.DateTimeField(source="opens_at", allow_null=True)
    sealed = serializers.DateTimeField(source="sealed_at", allow_null=True)
    sold_out = serializers.DateTimeField(source="sold_out_at", allow_null=True)
    closes = serializers.DateTimeField(source="closes_at", allow_null=True)
    closed = serializers.DateTimeField(source="closed_at", allow_null=True)


class DropSerializer(serializers.Serializer[dict[str, Any]]):
    """A drop as it is at this moment."""

    slug = serializers.SlugField()
    name = serializers.CharField()
    phase = serializers.ChoiceField(choices=[phase.value for phase in Phase if phase not in HIDDEN_PHASES])
    times = TimesSerializer()
    editions = EditionSerializer(many=True)


class DropsSerializer(serializers.Serializer[dict[str, Any]]):
    """The drops that have been announced and haven't ended, soonest first."""

    results = DropSerializer(many=True)


class ProblemSerializer(serializers.Serializer[dict[str, Any]]):
    """RFC 9457 problem details."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What went wrong, and what to do.")


@extend_schema(operation_id="list_drops", responses={200: DropsSerializer})
@api_view(["GET"])
def drops(request: Request) -> HttpResponse:
    """List the drops that are announced, open or paused, soonest first. Ended drops have a page each."""
    rows = [drop_data(page) for page in queries.open_drops(now=timezone.now())]
    return caching.public(Response(DropsSerializer({"results": rows}).data), seconds=CACHE_SECONDS)


@extend_schema(
    operation_id="read_drop",
    responses={
        200: DropSerializer,
        404: OpenApiResponse(ProblemSerializer, description="There is no public drop with this slug."),
    },
)
@api_view(["GET"])
def drop(request: Request, slug: str) -> HttpResponse:
    """Read one drop, whether it has ended or not."""
    try:
        page = queries.open_drop(slug=slug, now=timezone.now())
    except Drop.DoesNotExist:
        raise Http404 from None
    return caching.public(Response(DropSerializer(drop_data(page)).data), seconds=CACHE_SECONDS)


def drop_data(page: queries.DropPage) -> dict[str, Any]:
    """Return a drop in the shape of DropSerializer."""
    return {
        "slug": page.drop.slug,
        "name": page.drop.title,
        "phase": page.phase,
        "times": page.drop,
        "editions": [
            {
                "sku": row.edition.variant.sku,
                "name": row.name,
                "quantity": row.edition.quantity,
                "limit_per_order": row.edition.limit_per_order,
                "price": price_data(amount=row.edition.price, currency=page.drop.currency),
                "band": row.band,
            }
            for row in page.editions
        ],
    }


def price_data(*, amount: int, currency: str) -> dict[str, Any]:
    """Return an amount in the shape of PriceSerializer."""
    decimal = money.to_decimal(amount=amount, currency=currency)
    return {"amount": amount, "currency": currency, "decimal": str(decimal)}
