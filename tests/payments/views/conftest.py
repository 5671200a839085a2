"""A broker in memory and a browser."""

import pytest
from django.test import Client

from dropsite.celery import app


@pytest.fixture(autouse=True)
def broker():
    """A broker in memory, so that nobody's worker takes these orders; called with an address, another one."""
    own = app.conf.broker_url

    def use(url):
        app.conf.broker_url = app.conf.broker_read_url = app.conf.broker_write_url = url

    use("memory://")
    yield use
    use(own)


@pytest.fixture
def shopper(settings):
    """A browser on a page of the shop."""
    return Client(headers={"Origin": settings.SHOP_ORIGIN})
