"""What can fail between here and a cluster, as sentences for ops."""

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from drops.scaling.providers import PROVIDERS, ExtraNotInstalled
from drops.scaling.providers.kubernetes import client
from drops.scaling.providers.kubernetes.deployment import Deployment
from tests.drops.scaling.kube_cloud import Cluster
from tests.drops.scaling.providers.kube import LOCATOR, configure, refused, unknown


def test_a_different_cluster_is_neither_read_nor_written(kube: Cluster) -> None:
    kube.uid = "11111111-1111-1111-1111-111111111111"
    provider = Deployment(locator=LOCATOR)

    for call in ("read", "apply"):
        kube.calls.clear()
        assert refused(provider, call, {"replicas": 5}) == (
            "This is a different cluster: its namespace “shop” has the UID"
            " 11111111-1111-1111-1111-111111111111. Choose the right context or KUBECONFIG; if the"
            " namespace was created again, enter its new UID."
        )
        assert kube.calls == [("get", "/api/v1/namespaces/shop")]
    assert kube.patches == []


def test_an_unknown_name_is_refused(kube: Cluster) -> None:
    assert refused(Deployment(locator=LOCATOR | {"name": "wbe"})) == (
        "There is no Deployment “wbe” in namespace “shop” (404). Check the name."
    )


def test_an_unknown_namespace_is_refused(kube: Cluster) -> None:
    assert refused(Deployment(locator=LOCATOR | {"namespace": "shpo"})) == (
        f"{kube.url} has no namespace “shpo”. Check the name and the context."
    )


@pytest.mark.parametrize(
    ("verb", "plural", "group"),
    [
        ("get", "namespaces", "core"),
        ("get", "deployments", "apps"),
        ("patch", "deployments", "apps"),
        ("list", "pods", "core"),
        ("list", "horizontalpodautoscalers", "autoscaling"),
    ],
)
def test_a_missing_permission_is_named_by_verb_and_resource(
    kube: Cluster, verb: str, plural: str, group: str
) -> None:
    kube.denied = {(verb, plural)}

    assert refused(Deployment(locator=LOCATOR), "apply" if verb == "patch" else "read", {"replicas": 5}) == (
        f"system:serviceaccount:shop:dropsite may not {verb} {plural} in namespace “shop” (403). Grant the"
        f" verb “{verb}” on “{plural}” (API group “{group}”) in a Role."
    )


def status(code: Any, message: Any) -> Any:
    return code, f'{{"kind": "Status", "message": {message!r}}}'.replace("'", '"').encode(), {}


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (status(401, "Unauthorized"), "doesn't accept the credentials (401): the token has expired"),
        (
            status(403, "deployments.apps is forbidden: exceeded quota: drops"),
            "A quota of namespace “shop” doesn't allow this",
        ),
        (status(403, "forbidden: User system:anonymous cannot get"), "No credentials reach"),
        (
            status(403, "admission webhook nightly denied the request"),
            "A policy of the cluster forbids this: admission",
        ),
        (status(422, "spec.replicas: Invalid value"), "The API server rejects this (422): spec.replicas"),
        (
            (307, b"", {"Location": "http://169.254.169.254/"}),
            "responds with a redirect (307), which isn't followed",
        ),
        ((404, b"404 page not found\n", {}), "has no namespace “shop”"),
    ],
)
def test_a_refusal_is_a_sentence(kube: Cluster, answer: Any, sentence: str) -> None:
    kube.raw.append(answer)

    assert sentence in refused(Deployment(locator=LOCATOR))
    assert len(kube.calls) == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (status(500, "etcd leader changed"), "failed (500): etcd leader changed. It will be tried again."),
        (status(503, "apiserver is shutting down"), "failed (503)"),
        (status(429, "too many requests"), "failed (429)"),
        (
            status(409, "the object has been modified"),
            "Somebody else changed Namespace “shop” at the same moment (409).",
        ),
        (
            (200, b"<html>Sign in</html>", {}),
            "can't be read (Namespace). Check that the address is a Kubernetes API server's.",
        ),
        ((200, b"[]", {}), "can't be read (Namespace)"),
        ((200, b'{"metadata": 1}', {}), "can't be read (metadata.uid)"),
    ],
)
def test_an_unclear_response_is_not_retried(kube: Cluster, answer: Any, sentence: str) -> None:
    kube.raw.append(answer)

    assert sentence in unknown(Deployment(locator=LOCATOR))
    assert len(kube.calls) == 1, "it is not tried again within one call"


@pytest.mark.parametrize("value", ["two", -1, True, 2.5, [2]])
def test_a_field_that_is_not_a_count_is_unclear(kube: Cluster, value: Any) -> None:
    kube.objects["deployments", "web"]["status"]["readyReplicas"] = value

    assert "can't be read (status.readyReplicas)" in unknown(Deployment(locator=LOCATOR))


def test_an_expired_token_is_refused(kube: Cluster) -> None:
    kube.token = "the next one"

    assert refused(Deployment(locator=LOCATOR)) == (
        f"{kube.url} doesn't accept the credentials (401): the token has expired, or belongs to a different "
        "cluster. Renew it."
    )


def test_a_server_that_hangs_is_unclear(kube: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SESSION_SECONDS", 0.3)
    kube.hang = threading.Event()

    assert (
        unknown(Deployment(locator=LOCATOR))
        == f"The API server {kube.url} didn't respond in time. It will be tried again."
    )


def test_an_unreachable_server_is_unclear(kube: Cluster) -> None:
    assert unknown(Deployment(locator=LOCATOR | {"context": "elsewhere"})) == (
        "The API server http://127.0.0.1:1 can't be reached (NewConnectionError). "
        "Check its address, and whether a firewall blocks it."
    )


def test_an_unknown_context_is_refused(kube: Cluster) -> None:
    assert refused(Deployment(locator=LOCATOR | {"context": "nowhere"})).startswith(
        "There is no usable configuration: Invalid kube-config file. Expected object with name nowhere in"
    )


@pytest.mark.parametrize("text", ["", "not: [yaml", "clusters: 1", "[]"])
def test_an_unreadable_configuration_is_refused(
    kube: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    configure(monkeypatch, tmp_path, text)

    assert refused(Deployment(locator=LOCATOR)).startswith("There is no usable configuration: ")


def test_a_missing_configuration_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    assert refused(Deployment(locator=LOCATOR)) == (
        "There is no usable configuration: Service host/port is not set. Set KUBECONFIG, or run in a pod"
        " with a service account."
    )


@pytest.mark.parametrize("key", ["kubernetes", "hpa", "keda"])
def test_without_the_extra_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)

    with pytest.raises(
        ExtraNotInstalled, match=r'Install the extra "kubernetes": deploy/requirements/kubernetes\.txt'
    ):
        PROVIDERS[key](locator=LOCATOR).read()
