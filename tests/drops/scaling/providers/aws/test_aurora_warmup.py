"""Warming a resized reader, on a real Postgres in its place."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection

from drops.scaling.providers import OutcomeUnclear
from drops.scaling.providers.aws.aurora_warmup import warm


@pytest.fixture
def host(transactional_db: None) -> str:
    """The tests' own database server: the shop's DATABASE_URL leads to it."""
    return str(settings.DATABASES["default"]["HOST"])


@pytest.fixture
def prewarm(host: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION pg_prewarm")
        yield
        cursor.execute("DROP EXTENSION pg_prewarm")


def test_warm_reads_the_shops_tables_into_the_cache(host: str, prewarm: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
        )
        (count,) = cursor.fetchone()

    assert warm(host=host, endpoints={host}) == f"{count} of {count} tables and indexes warmed"


def test_warm_goes_on_where_pg_prewarm_is_not_installed(host: str) -> None:
    assert warm(host=host, endpoints={host}) == "not warmed: pg_prewarm is not installed in the database"


def test_warm_stops_when_its_time_is_up(host: str, prewarm: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drops.scaling.providers.aws.aurora_warmup.WARM_UP_SECONDS", 0.0)

    assert warm(host=host, endpoints={host}).startswith("0 of ")


def test_warm_skips_a_cluster_that_is_not_the_shops(host: str) -> None:
    assert (
        warm(host=host, endpoints={"shop.cluster-x.example"})
        == "not warmed: DATABASE_URL points to a different cluster"
    )


def test_warm_raises_for_a_reader_that_does_not_respond(host: str) -> None:
    with pytest.raises(OutcomeUnclear, match=r"The resized instance 127\.0\.0\.2 can't be read"):
        warm(host="127.0.0.2", endpoints={host})
