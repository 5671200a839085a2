"""The pseudo-language, served."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from drops.waitingroom.gate.language import language
from dropsite.celery import app
from tests.translation import pseudo


@pytest.fixture(scope="session")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pseudo-language's catalogue, as `make messages` and a translator would leave it."""
    folder = tmp_path_factory.mktemp("locale")
    pseudo.write_catalogue(folder)
    return folder


@pytest.fixture
def pseudo_language(catalogues: Path, settings: Any) -> Iterator[None]:
    """The shop in the pseudo-language; its own name and address are in brackets."""
    settings.LOCALE_PATHS = [catalogues]
    settings.LANGUAGES = [(pseudo.LANGUAGE, "Pseudo")]
    settings.LANGUAGE_CODE = pseudo.LANGUAGE
    settings.SHOP_NAME = "⟦Shop⟧"
    settings.SELLER = "⟦Seller\nHamburg⟧"
    language.activate(pseudo.LANGUAGE, folder=catalogues)
    with translation.override(pseudo.LANGUAGE):
        yield
    language.activate("en", folder=catalogues)


class Shopper(Client):
    """A browser that remembers the names of the routes that it visited."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.routes: set[str | None] = set()

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        self.routes.add(response.resolver_match.url_name)
        return response


@pytest.fixture
def shopper(settings: Any) -> Iterator[Shopper]:
    """A browser on a page of the shop; what is queued goes nowhere."""
    broker: Any = app.conf
    own = broker.broker_url
    broker.broker_url = broker.broker_read_url = broker.broker_write_url = "memory://"
    yield Shopper(headers={"Origin": settings.SHOP_ORIGIN})
    broker.broker_url = broker.broker_read_url = broker.broker_write_url = own
