import runpy

import pytest

from deploy.local.runner.programs import ROOT


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"DEMO": "0"}, "needs DEMO=1"),
        ({"DEMO": "1", "STRIPE_SECRET_KEY": "sk_live_1"}, "is a live key"),
        ({"DEMO": "1", "STRIPE_SECRET_KEY": "rk_live_1"}, "is a live key"),
    ],
)
def test_settings_refuse_the_sandbox_outside_the_demo_and_beside_a_live_key(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], message: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.1:8004")

    with pytest.raises(SystemExit, match=message):
        runpy.run_path(str(ROOT / "dropsite/settings.py"))


@pytest.mark.parametrize(
    "hosts", ["https://staging.example", "staging.example:443", "staging.example,http://x", "a b", "staging/"]
)
def test_settings_refuse_hosts_for_load_tests_that_are_no_host_names(
    monkeypatch: pytest.MonkeyPatch, hosts: str
) -> None:
    monkeypatch.setenv("LOAD_TEST_HOSTS", hosts)

    with pytest.raises(SystemExit, match=r"LOAD_TEST_HOSTS=.* is not a host name"):
        runpy.run_path(str(ROOT / "dropsite/settings.py"))


@pytest.mark.parametrize("hosts", ["", "staging.example", "staging.example, STAGING-2.example"])
def test_settings_accept_host_names_for_load_tests(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("LOAD_TEST_HOSTS", hosts)

    assert len(runpy.run_path(str(ROOT / "dropsite/settings.py"))["LOAD_TEST_HOSTS"]) == len(
        [host for host in hosts.split(",") if host]
    )


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("postgres://u:p@db.example/shop?sslmode=verify-full", {"sslmode": "verify-full"}),
        (
            "postgres://u:p@/shop?host=a,b&target_session_attrs=read-write",
            {"host": "a,b", "target_session_attrs": "read-write"},
        ),
        ("postgres://u:p@db.example/shop?connect_timeout=9", {"connect_timeout": 9}),
        ("postgres://u:p@db.example/shop", {"connect_timeout": 3, "tcp_user_timeout": 10_000}),
    ],
)
def test_settings_keep_what_the_database_s_address_says(
    monkeypatch: pytest.MonkeyPatch, address: str, options: dict[str, object]
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    found = runpy.run_path(str(ROOT / "dropsite/settings.py"))["DATABASES"]["default"]["OPTIONS"]

    assert found | options == found
    assert found["pool"]["reconnect_timeout"] == 2
