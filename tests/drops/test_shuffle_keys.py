"""The keys of the draws: rotated, missing, wrong. Nothing is sealed or published that breaks a commitment."""

import importlib
import signal
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from pytest_django import Settings

from drops import drop_actions, queries, shuffle_keys
from drops.models import Drop
from drops.waitingroom.protocol import places
from tests.factories import make_drop, make_edition

pytestmark = pytest.mark.django_db
OLD, NEW = "aa" * 32, "bb" * 32


def commits_to(drop: Drop, key: str) -> bool:
    secret = places.secret(bytes.fromhex(key), drop.pk, bytes(drop.nonce or b""))
    return places.commitment(secret) == bytes(drop.commitment or b"")


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (OLD, [""]),
        (f"k2:{NEW}", ["k2"]),
        (f"k2:{NEW},{OLD}", ["k2", ""]),
        (f" k2:{NEW} , k1:{OLD} ", ["k2", "k1"]),
        (OLD.upper(), [""]),
    ],
)
def test_keys_are_read_newest_first(text: str, ids: list[str]) -> None:
    assert list(shuffle_keys.parse(text)) == ids


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k1:",
        f"k1:{OLD},",
        OLD[:-2],
        f"{OLD}00",
        f"k1:{OLD[:-1]}x",
        f"{OLD},{NEW}",
        f"k1:{OLD},k1:{NEW}",
        f"k 1:{OLD}",
        f"ключ:{OLD}",
        f"{'k' * 21}:{OLD}",
        f"a:b:{OLD}",
    ],
)
def test_a_setting_that_is_wrong_is_refused_without_showing_a_key(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SHUFFLE_KEY: ") as refused:
        shuffle_keys.parse(text)

    assert OLD[:-2] not in str(refused.value)
    assert NEW[:-2] not in str(refused.value)


def test_new_drops_use_the_newest_key_and_older_ones_keep_theirs(settings: Settings) -> None:
    settings.SHUFFLE_KEY = OLD
    first = make_drop()
    settings.SHUFFLE_KEY = f"k2:{NEW},{OLD}"
    second = make_drop()

    assert (first.shuffle_key_id, commits_to(first, OLD)) == ("", True)
    assert (second.shuffle_key_id, commits_to(second, NEW)) == ("k2", True)
    assert shuffle_keys.find_unusable() == []


def test_an_announcement_commits_under_the_newest_key(settings: Settings) -> None:
    settings.SHUFFLE_KEY = f"k2:{NEW},{OLD}"
    drop = make_drop(phase="draft", pictures=1)
    make_edition(drop=drop)
    drop_actions.mark_announced(drop=drop)

    drop.refresh_from_db()
    assert (drop.shuffle_key_id, commits_to(drop, NEW)) == ("k2", True)


@pytest.mark.parametrize("phase", ["live", "sold out", "closed"])
def test_rotating_the_key_leaves_sealed_drops_verifiable(settings: Settings, phase: str) -> None:
    settings.SHUFFLE_KEY = OLD
    drop = make_drop(phase=phase)
    before = queries.draw_proof(drop=Drop.objects.get(pk=drop.pk))
    settings.SHUFFLE_KEY = f"k2:{NEW}"

    assert queries.draw_proof(drop=Drop.objects.get(pk=drop.pk)) == before
    assert before.secret is not None
    assert shuffle_keys.find_unusable() == []


@pytest.fixture
def bounded() -> Iterator[None]:
    """Raises TimeoutError after half a minute: a gatekeeper that does start would run for ever."""

    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("setting", [f"k2:{NEW}", NEW])
@pytest.mark.parametrize("phase", ["announced", "lobby", "opening"])
def test_a_key_that_an_unsealed_drop_needs_makes_the_shop_not_ready(
    settings: Settings, client: Client, phase: str, setting: str
) -> None:
    settings.SHUFFLE_KEY = OLD
    drop = make_drop(phase=phase)
    settings.SHUFFLE_KEY = setting

    ready = client.get("/healthz/ready")
    with pytest.raises(CommandError, match=f"The draw of {drop.slug} needs the key without an id"):
        call_command("gatekeeper")

    assert ready.status_code == 503
    assert drop.slug in ready.content.decode()


@pytest.mark.parametrize("phase", ["draft", "live", "closed", "cancelled"])
def test_other_drops_need_no_key(settings: Settings, phase: str) -> None:
    settings.SHUFFLE_KEY = OLD
    make_drop(phase=phase)
    settings.SHUFFLE_KEY = NEW
    Drop.objects.update(secret=None)  # sealed before secrets were stored

    assert shuffle_keys.find_unusable() == []


def test_a_secret_that_breaks_the_commitment_is_not_stored() -> None:
    drop = make_drop(phase="live")

    with (
        pytest.raises(IntegrityError, match="secret_is_what_the_drop_has_committed_to"),
        transaction.atomic(),
    ):
        Drop.objects.filter(pk=drop.pk).update(secret=bytes(32))


def test_a_secret_is_not_stored_before_the_seal() -> None:
    drop = make_drop(phase="lobby")

    with (
        pytest.raises(IntegrityError, match="secret_is_what_the_drop_has_committed_to"),
        transaction.atomic(),
    ):
        Drop.objects.filter(pk=drop.pk).update(secret=shuffle_keys.secret_of(drop))


def test_the_migration_stores_the_secrets_of_sealed_drops_whose_key_is_there(settings: Settings) -> None:
    settings.SHUFFLE_KEY = OLD
    known, unsealed = make_drop(phase="live"), make_drop(phase="lobby")
    settings.SHUFFLE_KEY = "cc" * 32
    lost = make_drop(phase="closed")
    settings.SHUFFLE_KEY = f"k2:{NEW},{OLD}"
    secret = Drop.objects.get(pk=known.pk).secret
    Drop.objects.update(secret=None)

    importlib.import_module("drops.migrations.0005_store_secrets").store_secrets(
        apps, connection.schema_editor()
    )

    stored = dict(Drop.objects.values_list("pk", "secret"))
    assert stored == {known.pk: secret, unsealed.pk: None, lost.pk: None}
    proof = queries.draw_proof(drop=Drop.objects.get(pk=lost.pk))
    assert (proof.n, proof.secret, proof.seed) == (100, None, None)
