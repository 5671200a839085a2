"""A broker in memory and a browser."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from dropsite.celery import app


@pytest.fixture(autouse=True)
def broker() -> Iterator[Callable[[str], None]]:
    """A broker in memory, so that no worker takes these orders. Call it with an address to use that one."""
    own = app.conf.broker_url

    def use(url: str) -> None:
        app.conf.update(broker_url=url, broker_read_url=url, broker_write_url=url)

    use("memory://")
    yield use
    use(own)


@pytest.fixture
def shopper(settings: Settings) -> Client:
    """A browser on a page of the shop."""
    return Client(headers={"Origin": settings.SHOP_ORIGIN})
