"""What the tests of Kubernetes targets share: a cluster on this machine, and how a target is brought to a state."""

import pytest

from drops.scaling.providers import ApplyRefused, OutcomeUnclear
from tests.drops.scaling.kube_cloud import UID, Cluster, configuration, serve

WHERE = {"namespace": "shop", "namespace_uid": UID, "name": "web"}


@pytest.fixture
def kube(monkeypatch, tmp_path):
    """A cluster with a Deployment "web" of 2 pods, found by KUBECONFIG."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    cluster = Cluster()
    cluster.deploy("web", 2)
    with serve(cluster) as address:
        configure(monkeypatch, tmp_path, configuration(server=address))
        yield cluster


def configure(monkeypatch, tmp_path, text):
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))


def spec(kube, plural):
    return kube.things[plural, "web"]["spec"]


def bring(kube, kind, state, rounds=10):
    """Ask for a state and let the cluster work until it stands; the readings on the way."""
    kind.ask(state, key="one")
    readings = []
    for _round in range(rounds):
        readings.append(kind.read())
        if kind.is_ready(readings[-1], state):
            return readings
        kube.advance()
    pytest.fail(f"not ready after {rounds} rounds: {readings[-1]}")


def refused(kind, call="read", state=None):
    """The sentence with which it refuses."""
    with pytest.raises(ApplyRefused) as caught:
        kind.read() if call == "read" else kind.ask(state, key="one")
    return str(caught.value)


def unknown(kind):
    with pytest.raises(OutcomeUnclear) as caught:
        kind.read()
    return str(caught.value)
