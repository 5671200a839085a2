"""Shipping rates: one flat rate per zone, whatever is in the parcel."""

from collections.abc import Mapping
from functools import cache
from typing import cast

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

HOME, EUROPE, WORLD = "home", "europe", "world"

COUNTRIES = {  # ISO 3166-1 alpha-2: name, zone if it is not the home country
    "AU": (_("Australia"), WORLD),
    "AT": (_("Austria"), EUROPE),
    "BE": (_("Belgium"), EUROPE),
    "CA": (_("Canada"), WORLD),
    "CZ": (_("Czechia"), EUROPE),
    "DK": (_("Denmark"), EUROPE),
    "EE": (_("Estonia"), EUROPE),
    "FI": (_("Finland"), EUROPE),
    "FR": (_("France"), EUROPE),
    "DE": (_("Germany"), EUROPE),
    "GR": (_("Greece"), EUROPE),
    "HU": (_("Hungary"), EUROPE),
    "IE": (_("Ireland"), EUROPE),
    "IT": (_("Italy"), EUROPE),
    "JP": (_("Japan"), WORLD),
    "LV": (_("Latvia"), EUROPE),
    "LT": (_("Lithuania"), EUROPE),
    "LU": (_("Luxembourg"), EUROPE),
    "NL": (_("Netherlands"), EUROPE),
    "NZ": (_("New Zealand"), WORLD),
    "NO": (_("Norway"), WORLD),
    "PL": (_("Poland"), EUROPE),
    "PT": (_("Portugal"), EUROPE),
    "SK": (_("Slovakia"), EUROPE),
    "SI": (_("Slovenia"), EUROPE),
    "ES": (_("Spain"), EUROPE),
    "SE": (_("Sweden"), EUROPE),
    "CH": (_("Switzerland"), WORLD),
    "GB": (_("United Kingdom"), WORLD),
    "US": (_("United States"), WORLD),
}


def countries() -> dict[str, str]:
    """Return the countries that the shop ships to: code to name, in the current language."""
    return names(get_language())


@cache
def names(_language: str | None) -> dict[str, str]:
    return {code: str(name) for code, (name, _zone) in COUNTRIES.items()}


def zone(*, country: str, home: str) -> str:
    """Return the country's zone. Raises KeyError for a country that the shop doesn't ship to."""
    if country == home:
        return HOME
    return COUNTRIES[country][1]


def rate(*, country: str) -> int:
    """Return the price of shipping one order, in the smallest unit of the drop's currency."""
    rates = cast("Mapping[str, int]", settings.SHIPPING_RATES)
    return rates[zone(country=country, home=settings.SHIPPING_HOME)]
