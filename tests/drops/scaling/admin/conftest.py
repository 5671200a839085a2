"""Pre-scaling in the admin: staff, and a provider with fields of its own, in the stand-in cloud."""

from collections.abc import Mapping
from typing import Any

import pytest

from drops.scaling.providers import PROVIDERS, BadLocator, Field
from tests.admin_clients import log_in
from tests.drops.scaling.cloud import Cloud, StandIn, cloud

__all__ = ["cloud", "log_in", "taps"]


class Tap(StandIn):
    """A fleet whose locator is its name and, if there are several, its region."""

    name = "tap"
    unit = "taps"
    lead_seconds = 40
    credentials = "TAP_TOKEN in the environment"
    fields = (
        Field("name", "Name of the fleet", "As the cloud lists it."),
        Field("region", "Region", required=False),
    )

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        if " " in locator["name"]:
            raise BadLocator({"name": "A name has no spaces. Write it as the cloud lists it."})


@pytest.fixture
def taps(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The stand-in cloud, with the provider "tap"."""
    monkeypatch.setitem(PROVIDERS, "tap", Tap)
    return cloud
