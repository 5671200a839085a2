"""What can go wrong between here and a cluster, and the sentence that each fault becomes."""

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from drops.scaling.providers import PROVIDERS, Missing
from drops.scaling.providers.kubernetes import client
from drops.scaling.providers.kubernetes.deployment import Deployment
from tests.drops.scaling.kube_cloud import Cluster
from tests.drops.scaling.providers.kube import WHERE, configure, refused, unknown


def test_another_cluster_is_neither_read_nor_written(kube: Cluster) -> None:
    kube.uid = "11111111-1111-1111-1111-111111111111"
    kind = Deployment(locator=WHERE)

    for call in ("read", "apply"):
        kube.calls.clear()
        assert refused(kind, call, {"replicas": 5}) == (
            "This is another cluster: its namespace “shop” has the uid 11111111-1111-1111-1111-111111111111. Choose "
            "the right context or KUBECONFIG, or, if the namespace was made anew, put in the new uid."
        )
        assert kube.calls == [("get", "/api/v1/namespaces/shop")]
    assert kube.patches == []


def test_an_unknown_name_is_told(kube: Cluster) -> None:
    assert refused(Deployment(locator=WHERE | {"name": "wbe"})) == (
        "There is no Deployment “wbe” in namespace “shop” (404). Put in the right name."
    )


def test_an_unknown_namespace_is_told(kube: Cluster) -> None:
    assert refused(Deployment(locator=WHERE | {"namespace": "shpo"})) == (
        f"{kube.url} has no namespace “shpo”. Put in the right name, or the right context."
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
def test_a_missing_right_is_told_by_verb_and_resource(kube: Cluster, verb: str, plural: str, group: str) -> None:
    kube.denied = {(verb, plural)}

    assert refused(Deployment(locator=WHERE), "apply" if verb == "patch" else "read", {"replicas": 5}) == (
        f"system:serviceaccount:shop:dropsite may not {verb} {plural} in namespace “shop” (403): grant the verb "
        f"“{verb}” on “{plural}” (API group “{group}”) in a Role."
    )


def status(code: Any, message: Any) -> Any:
    return code, f'{{"kind": "Status", "message": {message!r}}}'.replace("'", '"').encode(), {}


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (status(401, "Unauthorized"), "doesn't accept the credentials (401): the token has expired"),
        (status(403, "deployments.apps is forbidden: exceeded quota: drops"), "A quota of namespace “shop” forbids it"),
        (status(403, "forbidden: User system:anonymous cannot get"), "No credentials reach"),
        (status(403, "admission webhook nightly denied the request"), "A rule of the cluster forbids it: admission"),
        (status(422, "spec.replicas: Invalid value"), "The API server doesn't accept it (422): spec.replicas"),
        ((307, b"", {"Location": "http://169.254.169.254/"}), "answers with a redirect (307), which is not followed"),
        ((404, b"404 page not found\n", {}), "has no namespace “shop”"),
    ],
)
def test_a_refusal_is_a_sentence(kube: Cluster, answer: Any, sentence: str) -> None:
    kube.raw.append(answer)

    assert sentence in refused(Deployment(locator=WHERE))
    assert len(kube.calls) == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (status(500, "etcd leader changed"), "is not well (500): etcd leader changed. It is asked again."),
        (status(503, "apiserver is shutting down"), "is not well (503)"),
        (status(429, "too many requests"), "is not well (429)"),
        (status(409, "the object has been modified"), "Somebody changed Namespace “shop” at the same moment (409)."),
        ((200, b"<html>Sign in</html>", {}), "can't be read (Namespace). Is it a Kubernetes API server?"),
        ((200, b"[]", {}), "can't be read (Namespace)"),
        ((200, b'{"metadata": 1}', {}), "can't be read (metadata.uid)"),
    ],
)
def test_what_nobody_can_tell_is_unknown(kube: Cluster, answer: Any, sentence: str) -> None:
    kube.raw.append(answer)

    assert sentence in unknown(Deployment(locator=WHERE))
    assert len(kube.calls) == 1, "it is not asked again within one call"


@pytest.mark.parametrize("garbage", ["two", -1, True, 2.5, [2]])
def test_a_number_that_is_none_is_unknown(kube: Cluster, garbage: Any) -> None:
    kube.things["deployments", "web"]["status"]["readyReplicas"] = garbage

    assert "can't be read (status.readyReplicas)" in unknown(Deployment(locator=WHERE))


def test_an_expired_token_is_told(kube: Cluster) -> None:
    kube.token = "the next one"

    assert refused(Deployment(locator=WHERE)) == (
        f"{kube.url} doesn't accept the credentials (401): the token has expired or is another cluster's. Renew it."
    )


def test_a_server_that_hangs_is_unknown(kube: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SECONDS", 0.3)
    kube.hang = threading.Event()

    assert unknown(Deployment(locator=WHERE)) == f"The API server {kube.url} gave no answer in time."


def test_a_server_that_is_not_there_is_unknown(kube: Cluster) -> None:
    assert unknown(Deployment(locator=WHERE | {"context": "elsewhere"})) == (
        "The API server http://127.0.0.1:1 can't be reached (NewConnectionError). "
        "Is this the right address, and is it open?"
    )


def test_a_context_that_is_not_configured_is_told(kube: Cluster) -> None:
    assert refused(Deployment(locator=WHERE | {"context": "nowhere"})).startswith(
        "There is no usable configuration: Invalid kube-config file. Expected object with name nowhere in"
    )


@pytest.mark.parametrize("text", ["", "not: [yaml", "clusters: 1", "[]"])
def test_a_configuration_that_is_garbage_is_told(
    kube: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    configure(monkeypatch, tmp_path, text)

    assert refused(Deployment(locator=WHERE)).startswith("There is no usable configuration: ")


def test_no_configuration_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    assert refused(Deployment(locator=WHERE)) == (
        "There is no usable configuration: Service host/port is not set. Set KUBECONFIG, or run in a pod with a "
        "service account."
    )


@pytest.mark.parametrize("key", ["kubernetes", "hpa", "keda"])
def test_without_the_extra_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)

    with pytest.raises(Missing, match=r'Install the extra "kubernetes": deploy/requirements/kubernetes\.txt'):
        PROVIDERS[key](locator=WHERE).read()
