from pathlib import Path

import pytest

from deploy.local.stripe_sandbox import config
from tests.deploy.stripe_sandbox.process import SandboxProcess

VALID_ENVIRON = {
    "DEMO": "1",
    "SANDBOX_DIR": "/tmp/sandbox",
    "SANDBOX_SECRET_KEY": "sk_test_1",
    "SANDBOX_PUBLISHABLE_KEY": "pk_test_1",
    "SANDBOX_ORIGIN": "http://127.0.0.1:8004/",
}


def test_from_environ_defaults_to_stripes_rate_limits() -> None:
    settings = config.from_environ(
        VALID_ENVIRON | {"SANDBOX_SHOP_ORIGINS": "http://a.example, http://b.example/"}
    )

    assert (settings.rate, settings.rate_per_endpoint) == (100, 25)
    assert settings.shop_origins == ("http://a.example", "http://b.example")
    assert settings.hosts == {"127.0.0.1:8004", "localhost:8004"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"DEMO": ""}, "DEMO=1"),
        ({"DEMO": "true"}, "DEMO=1"),
        ({"SANDBOX_DIR": "", "SANDBOX_ORIGIN": ""}, "SANDBOX_DIR, SANDBOX_ORIGIN"),
        ({"SANDBOX_SECRET_KEY": "sk_live_1"}, "sk_test_"),
        ({"SANDBOX_PUBLISHABLE_KEY": "pk_live_1"}, "pk_test_"),
        ({"SANDBOX_RATE": "0"}, "SANDBOX_RATE"),
        ({"SANDBOX_RATE_PER_ENDPOINT": "fast"}, "SANDBOX_RATE_PER_ENDPOINT"),
        ({"SANDBOX_WEBHOOK_URL": "ftp://shop.example/"}, "https://"),
        ({"SANDBOX_WEBHOOK_URL": "http://127.0.0.1/"}, "SANDBOX_WEBHOOK_SECRET"),
    ],
)
def test_from_environ_refuses_invalid_settings(change: dict[str, str], message: str) -> None:
    with pytest.raises(config.ConfigError, match=message):
        config.from_environ(VALID_ENVIRON | change)


def test_start_fails_outside_the_demo(tmp_path: Path) -> None:
    sandbox = SandboxProcess(tmp_path, DEMO="0")

    process = sandbox.launch()

    assert process.wait(20) != 0
    log = (tmp_path / "log").read_text()
    assert "it needs DEMO=1" in log
    assert "Traceback" not in log
    sandbox.reserved_socket.close()
    sandbox.http.close()
