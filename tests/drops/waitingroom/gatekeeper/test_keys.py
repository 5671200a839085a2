"""A gatekeeper that has a wrong key, or none, for a drop that opens."""

import pytest
from pytest_django import Settings

from drops.models import Drop
from shop.core.models import Alert
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import open_now
from tests.factories import make_drop

NEW = "bb" * 32


@pytest.mark.parametrize("setting", [NEW, f"k2:{NEW}"])
def test_it_seals_and_publishes_nothing_until_the_key_is_back(
    driven: Driven, settings: Settings, setting: str
) -> None:
    right = settings.SHUFFLE_KEY
    drop, other = make_drop(phase="lobby"), make_drop(phase="lobby")
    driven.tick()
    Drop.objects.filter(pk=other.pk).update(sealed=None)
    settings.SHUFFLE_KEY = setting

    open_now(drop)
    driven.tick(1)
    driven.tick(1)

    drop.refresh_from_db()
    document = driven.document(drop)
    assert (drop.sealed, document["phase"], document["sealed"], document["secret"]) == (
        None,
        "opening",
        None,
        None,
    )
    alert = Alert.objects.get(resolved_at=None)
    assert drop.slug in alert.message
    assert other.slug in alert.message

    settings.SHUFFLE_KEY = f"k2:{NEW},{right}"
    driven.tick(1)
    drop.refresh_from_db()
    assert drop.sealed == 0
    assert driven.document(drop)["secret"] == bytes(drop.secret or b"").hex()
    assert not Alert.objects.filter(resolved_at=None).exists()
