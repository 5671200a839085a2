"""A browser of the shop."""

import pytest
from django.conf import settings
from django.test import Client

ORIGIN = settings.SHOP_ORIGIN


@pytest.fixture
def client() -> Client:
    """A browser of the shop: its forms come from the shop's own pages."""
    return Client(headers={"host": ORIGIN.split("//")[1], "origin": ORIGIN, "sec-fetch-site": "same-origin"})
