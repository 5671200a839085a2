"""What all kinds in a namespace share: where they are, and which pods are theirs."""

from typing import Any

import pytest

from drops.scaling.providers import ApplyRefused, BadLocator
from drops.scaling.providers.kubernetes.deployment import Deployment
from drops.scaling.providers.kubernetes.hpa import Autoscaler
from drops.scaling.providers.kubernetes.keda import ScaledObject
from drops.scaling.providers.kubernetes.pods import selector_of, why_pending
from tests.drops.scaling.providers.kube import WHERE


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
def test_check_names_the_field_that_is_wrong(field: str, value: Any) -> None:
    with pytest.raises(BadLocator) as caught:
        Deployment.check(WHERE | {field: value})

    assert list(caught.value.errors) == [field]


def test_check_accepts_what_is_right() -> None:
    Deployment.check(WHERE)
    Deployment.check(WHERE | {"context": "arn:aws:eks:eu-central-1:1:cluster/shop"})


def test_one_thing_is_one_resource_by_whatever_context() -> None:
    assert Deployment.resource(WHERE | {"context": "a"}) == Deployment.resource(WHERE | {"context": "b"})
    assert len({kind.resource(WHERE) for kind in (Deployment, Autoscaler, ScaledObject)}) == 3


def test_a_selector_is_written_as_a_query() -> None:
    assert selector_of(
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
        ({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}, "has an operator that is not known"),
    ],
)
def test_a_selector_that_cannot_be_written_is_refused(selector: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ApplyRefused, match=sentence):
        selector_of(selector)


def test_a_pod_that_waits_for_its_image_says_so() -> None:
    waiting = {"status": {"containerStatuses": [{"state": {}}, {"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}}

    assert (why_pending(waiting), why_pending({})) == (": ImagePullBackOff", "")
