"""Calls to providers, and the rows that they leave."""

import pytest

from drops.scaling.control import provider_calls
from tests.drops.scaling.cloud import Cloud, make_target

pytestmark = pytest.mark.django_db


def test_test_reads_a_target_and_records_the_result(cloud: Cloud) -> None:
    target = make_target(cloud, size=3)
    call = provider_calls.test(target=target, actor="anna")
    assert (call.operation, call.actor, call.error, (call.after or {})["size"]) == ("test", "anna", "", 3)

    cloud.fleets.clear()
    assert provider_calls.test(target=target, actor="anna").error == "There is no such fleet."
    target.provider = "no such"
    assert provider_calls.test(target=target, actor="anna").error.startswith(
        "There is no provider “no such”."
    )
    target.refresh_from_db()
    assert (target.observed, cloud.applied) == (None, [])
