"""docs/prescaling.md: its new provider works as printed, and the IAM policy names every call."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from drops.scaling.providers import PROVIDERS, ApplyRefused
from drops.scaling.providers.base import Provider

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/prescaling.md").read_text()
IAM = {"elbv2": "elasticloadbalancing"}  # where the policy's name of a service is another than boto3's


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def provider() -> type[Provider]:
    """Return the provider that the page prints."""
    names: dict[str, Any] = {"__name__": "auto_scaling_group"}
    exec(compile(block("python"), "docs/prescaling.md", "exec"), names)
    found: type[Provider] = names["AutoScalingGroup"]
    return found


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An Auto Scaling group of two machines, in moto."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = boto3.client("autoscaling", region_name="eu-central-1")
    client.create_launch_configuration(
        LaunchConfigurationName="web", ImageId="ami-12345678", InstanceType="t3.small"
    )
    client.create_auto_scaling_group(
        AutoScalingGroupName="web",
        LaunchConfigurationName="web",
        MinSize=2,
        MaxSize=4,
        AvailabilityZones=["eu-central-1a"],
    )
    yield "web"
    client.close()
    server.stop()


def test_new_provider_grows_and_comes_back(provider: type[Provider], group: str) -> None:
    target = provider(locator={"region": "eu-central-1", "group": group})
    baseline = target.read().state

    target.apply(target.state_for(6, baseline=baseline), key="up")
    grown = target.read()
    target.apply(baseline, key="down")

    assert (grown.size, grown.serving, grown.state) == (6, 6, {"min": 6, "max": 6, "desired": 6})
    assert target.is_ready(grown, target.state_for(6, baseline=baseline))
    assert target.read().state == baseline == {"min": 2, "max": 4, "desired": 2}


def test_new_provider_refuses_what_is_not_there_with_a_sentence(provider: type[Provider], group: str) -> None:
    with pytest.raises(
        ApplyRefused, match=r"There is no Auto Scaling group nothing in this region\. Check its name\."
    ):
        provider(locator={"region": "eu-central-1", "group": "nothing"}).read()


def test_policy_names_every_call_that_is_made() -> None:
    code = "\n".join(file.read_text() for file in (ROOT / "drops/scaling/providers").rglob("*.py"))
    calls = re.findall(r'self\.call\(\s*"([a-z0-9-]+)",\s*"([a-z_]+)"', code)
    camel = {
        (IAM.get(service, service), name.title().replace("_", "").replace("Db", "DB"))
        for service, name in calls
    }

    actions = {
        action for statement in json.loads(block("json"))["Statement"] for action in statement["Action"]
    }

    assert len(calls) > 10
    assert actions == {f"{service}:{name}" for service, name in camel}


def test_every_provider_is_in_the_table() -> None:
    table = PAGE.split("| provider | what changes |", 1)[1].split("\n\n", 1)[0]
    short = {name: provider.name.removeprefix("Kubernetes ") for name, provider in PROVIDERS.items()}

    assert {name: words for name, words in short.items() if words not in table} == {}
