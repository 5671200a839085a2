"""The health checks for load balancers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from dropsite import health

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Each test looks for itself."""
    health.cached_migrations_applied.cache_clear()
    yield
    health.cached_migrations_applied.cache_clear()


@pytest.fixture
def collected(settings: Settings, tmp_path: Path) -> None:
    """The manifest of static files, as collectstatic leaves it."""
    manifest = {"version": "1.1", "paths": {"shop/site.css": "shop/site.1.css"}, "hash": "1"}
    (tmp_path / "staticfiles.json").write_text(json.dumps(manifest))
    settings.STATIC_ROOT = tmp_path


def test_say_live_without_a_database(client: Client) -> None:
    answer = client.get("/healthz/live")

    assert (answer.status_code, answer.content, answer["Cache-Control"]) == (200, b"live\n", "no-store")


@pytest.mark.django_db
def test_say_ready_when_everything_is_there(client: Client, collected: None) -> None:
    answer = client.get("/healthz/ready")

    assert answer.json() == {"ready": True, "faults": {}}
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")


@pytest.mark.django_db
def test_say_ready_again_without_asking_for_migrations(
    client: Client, collected: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client.get("/healthz/ready")

    with django_assert_max_num_queries(2):
        assert client.get("/healthz/ready").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(("setting", "name"), [("LINE_REDIS_URL", "line"), ("BROKER_URL", "broker")])
def test_name_the_redis_that_is_away(
    client: Client, collected: None, settings: Settings, setting: str, name: str
) -> None:
    setattr(settings, setting, NOWHERE)

    answer = client.get("/healthz/ready")

    assert answer.status_code == 503
    assert list(answer.json()["faults"]) == [name]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("exclude", "status"),
    [
        ("broker,line", 200),
        ("line,broker", 200),
        ("broker,line,nothing", 200),
        ("broker", 503),
        ("line", 503),
        ("", 503),
        ("all", 503),
    ],
)
def test_a_load_balancer_can_leave_out_what_shoppers_do_without(
    client: Client, collected: None, settings: Settings, exclude: str, status: int
) -> None:
    settings.LINE_REDIS_URL = settings.BROKER_URL = NOWHERE

    answer = client.get(f"/healthz/ready?exclude={exclude}")

    assert (answer.status_code, answer.json()["ready"]) == (status, status == 200)
    assert list(answer.json()["faults"]) == ["line", "broker"]


@pytest.mark.django_db
def test_what_shoppers_need_is_not_left_out_with_the_rest(
    client: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.LINE_REDIS_URL = settings.BROKER_URL = NOWHERE
    settings.STATIC_ROOT = tmp_path

    assert client.get("/healthz/ready?exclude=broker,line").status_code == 503


@pytest.mark.django_db
def test_name_a_missing_migration(client: Client, collected: None) -> None:
    newest = MigrationRecorder(connection).migration_qs.filter(app="payments").last()
    assert newest is not None
    newest.delete()

    answer = client.get("/healthz/ready")

    assert answer.status_code == 503
    assert list(answer.json()["faults"]) == ["migrations"]


@pytest.mark.django_db
def test_name_missing_static_files(client: Client, settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path

    answer = client.get("/healthz/ready")

    assert answer.status_code == 503
    assert list(answer.json()["faults"]) == ["static files"]


@pytest.mark.django_db
def test_name_a_database_that_does_not_answer(client: Client, collected: None) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(gone):
        answer = client.get("/healthz/ready")

    assert answer.status_code == 503
    assert answer.json()["faults"] == {
        "database": "The database takes no writes (OperationalError).",
        "migrations": "The database takes no writes (OperationalError).",
        "shuffle key": "The database takes no writes (OperationalError).",
    }
