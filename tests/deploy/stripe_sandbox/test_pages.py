import re

import pytest

from tests.deploy.stripe_sandbox.process import SHOP_ORIGIN, SandboxProcess


def test_card_frame_can_be_embedded_only_by_the_shop(sandbox: SandboxProcess) -> None:
    answer = sandbox.http.get(f"{sandbox.base}/frame/card", timeout=5)

    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["frame-ancestors"] == SHOP_ORIGIN
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert f'data-parents="{SHOP_ORIGIN}"' in answer.text


def test_card_frame_has_labelled_autocomplete_fields(sandbox: SandboxProcess) -> None:
    page = sandbox.http.get(f"{sandbox.base}/frame/card", timeout=5).text

    fields = re.findall(r'<input id="([^"]+)" name="([^"]+)".*?autocomplete="([^"]+)"', page)
    assert fields == [
        ("card-number", "number", "cc-number"),
        ("card-expiry", "expiry", "cc-exp"),
        ("card-cvc", "cvc", "cc-csc"),
    ]
    assert re.findall(r'<label for="([^"]+)"', page) == ["card-number", "card-expiry", "card-cvc"]
    assert "4242&nbsp;4242&nbsp;4242&nbsp;4242" in page


@pytest.mark.parametrize(
    ("path", "kind"),
    [("stripe.js", "text/javascript"), ("frame/card.js", "text/javascript"), ("frame/card.css", "text/css")],
)
def test_static_files_may_be_loaded_by_the_shop(sandbox: SandboxProcess, path: str, kind: str) -> None:
    answer = sandbox.http.get(f"{sandbox.base}/{path}", timeout=5)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_overview_lists_cards_and_latest_intents(sandbox: SandboxProcess) -> None:
    intent = sandbox.confirmed_intent(metadata={"order": "<b>7</b>"})

    answer = sandbox.http.get(f"{sandbox.base}/_sandbox/", timeout=5)

    assert "4000 0000 0000 9995" in answer.text
    assert intent.id in answer.text
    assert "requires_capture" in answer.text
    assert "order &lt;b&gt;7&lt;/b&gt;" in answer.text
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_foreign_host_is_refused(sandbox: SandboxProcess) -> None:
    for host, status in (("evil.example", 421), (f"localhost:{sandbox.port}", 200)):
        answer = sandbox.http.get(f"{sandbox.base}/_sandbox/state", headers={"Host": host}, timeout=5)
        assert answer.status_code == status
