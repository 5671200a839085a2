"""What all namespaced providers share: the locator, and which pods belong to a workload."""

from typing import Any

import pytest

from drops.scaling.providers import ApplyRefused, BadLocator
from drops.scaling.providers.kubernetes.deployment import Deployment
from drops.scaling.providers.kubernetes.hpa import Autoscaler
from drops.scaling.providers.kubernetes.keda import ScaledObject
from drops.scaling.providers.kubernetes.pods import format_selector, pending_reason
from tests.drops.scaling.providers.kube import LOCATOR


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("namespace", ""),
        ("namespace", "Shop"),
        ("namespace", "a" * 64),
        ("namespace", "shop/../kube-system"),
        ("namespace_uid", "shop"),
        ("name", "web/scale"),
        ("name", None),
        ("context", "shop\n"),
    ],
)
def test_check_names_the_invalid_field(field: str, value: Any) -> None:
    with pytest.raises(BadLocator) as caught:
        Deployment.check(LOCATOR | {field: value})

    assert list(caught.value.errors) == [field]


def test_check_accepts_a_valid_locator() -> None:
    Deployment.check(LOCATOR)
    Deployment.check(LOCATOR | {"context": "arn:aws:eks:eu-central-1:1:cluster/shop"})


def test_one_object_is_one_resource_in_any_context() -> None:
    assert Deployment.resource(LOCATOR | {"context": "a"}) == Deployment.resource(LOCATOR | {"context": "b"})
    assert len({provider.resource(LOCATOR) for provider in (Deployment, Autoscaler, ScaledObject)}) == 3


def test_format_selector_returns_a_query() -> None:
    assert format_selector(
        {
            "matchLabels": {"app": "web", "tier": "front"},
            "matchExpressions": [
                {"key": "track", "operator": "In", "values": ["a", "b"]},
                {"key": "old", "operator": "NotIn", "values": ["yes"]},
                {"key": "zone", "operator": "Exists"},
                {"key": "canary", "operator": "DoesNotExist"},
            ],
        }
    ) == "app=web,tier=front,track in (a,b),old notin (yes),zone,!canary"  # fmt: skip


@pytest.mark.parametrize(
    ("selector", "sentence"),
    [
        ({}, "It selects no pods"),
        (
            {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]},
            "has an operator that Dropsite doesn't support",
        ),
    ],
)
def test_an_unsupported_selector_is_refused(selector: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ApplyRefused, match=sentence):
        format_selector(selector)


def test_pending_reason_names_a_missing_image() -> None:
    waiting = {
        "status": {
            "containerStatuses": [{"state": {}}, {"state": {"waiting": {"reason": "ImagePullBackOff"}}}]
        }
    }

    assert (pending_reason(waiting), pending_reason({})) == (": ImagePullBackOff", "")
