"""Signed HTTP: what is signed, where it may go, and how long and how large a response may be."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shop.core import outbound
from tests.drops.scaling.receiver import SECRET, Receiver, http, serve
from tests.servers import until


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.SCALING_PRIVATE_HOSTS = ["127.0.0.1", "localhost"]
    with serve(Receiver()) as running:
        yield running


def post(url: str, *, body: bytes = b"{}", seconds: float = 5.0, key: str = "key-1") -> outbound.Response:
    return outbound.post(url=url, body=body, secret=SECRET, key=key, seconds=seconds)


def calls_under_way() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "outbound call"]


def blocked(url: str, **more: Any) -> str:
    with pytest.raises(outbound.AddressBlocked) as caught:
        post(url, **more)
    return str(caught.value)


def no_response(url: str, **more: Any) -> str:
    with pytest.raises(outbound.NoResponse) as caught:
        post(url, **more)
    return str(caught.value)


# --- the signature ------------------------------------------------------------------------------------------
def test_sign_matches_the_published_test_vector() -> None:
    signature = outbound.sign(
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        key="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=1614265330,
        body=b'{"test": 2432232314}',
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_sign_uses_a_plain_secret_as_it_is() -> None:
    plain = outbound.sign(secret="plain", key="a", at=1, body=b"")

    assert plain == outbound.sign(secret="whsec_cGxhaW4=", key="a", at=1, body=b"")


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [
        ("", "There is no secret to sign with."),
        ("whsec_%%", "The secret begins with whsec_, but no base64 follows."),
    ],
)
def test_sign_refuses_an_unusable_secret(secret: str, sentence: str) -> None:
    with pytest.raises(outbound.AddressBlocked, match=sentence):
        outbound.sign(secret=secret, key="a", at=1, body=b"")


def test_a_post_verifies_at_the_receiver(receiver: Receiver) -> None:
    answer = post(receiver.url, body=b'{"version": 1, "url": "%s", "size": 8}' % receiver.url.encode())

    assert (answer.status, answer.json(), answer.request_id) == (202, {"accepted": True}, "request-7")
    assert (receiver.keys, receiver.size) == (["key-1"], 8)


def test_a_get_verifies_at_the_receiver(receiver: Receiver) -> None:
    answer = outbound.get(url=receiver.status_url, secret=SECRET)

    assert (answer.status, answer.json()["size"]) == (200, 2)


def test_a_body_that_was_changed_on_the_way_does_not_verify(receiver: Receiver) -> None:
    receiver.secret = "whsec_AAAA"

    assert post(receiver.url).status == 401


@pytest.mark.parametrize("key", ["", "a.b", "a\r\nX: y", "ä"])
def test_a_key_that_could_forge_a_header_is_a_mistake_of_ours(receiver: Receiver, key: str) -> None:
    with pytest.raises(ValueError, match="a key is letters"):
        post(receiver.url, key=key)


# --- where it may go ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://ops.example/x", "The address must begin with https://."),
        ("", "The address must begin with https://."),
        ("https:///x", "The address names no host."),
        (
            "https://user:password@ops.example/",
            "The address must not contain a user name or password: calls are signed instead.",
        ),
        ("https://ops.example/a b", "This isn't a web address: use ASCII"),
        ("https://ops.example/\r\nX: y", "This isn't a web address: use ASCII"),
        ("https://öps.example/", "This isn't a web address: use ASCII"),
        ("https://ops.example/" + "a" * 2000, "This isn't a web address: use ASCII"),
        ("https://ops.example:99999/", "This isn't a web address: Port out of range"),
        ("https://[::1/", "This isn't a web address: Invalid IPv6 URL"),
    ],
)
def test_an_unusable_address_is_refused(url: str, sentence: str) -> None:
    assert blocked(url).startswith(sentence)


def test_plain_http_is_for_the_demo_only(settings: Any, receiver: Receiver) -> None:
    settings.DEMO = False

    assert blocked(receiver.url) == "The address must begin with https://."
    assert receiver.requests == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"],
)
def test_this_machine_is_refused_in_every_spelling(settings: Any, receiver: Receiver, host: str) -> None:
    settings.SCALING_PRIVATE_HOSTS = []

    sentence = blocked(f"http://{host}:{receiver.port}/scale")

    assert "is the private address" in sentence
    assert "If that is right, add the host to SCALING_PRIVATE_HOSTS." in sentence
    assert receiver.requests == []


@pytest.mark.parametrize("host", ["169.254.169.254", "10.1.2.3", "192.168.0.1", "[fd00:ec2::254]"])
def test_private_networks_and_metadata_are_refused(host: str) -> None:
    assert "is the private address" in blocked(f"http://{host}/latest/meta-data/")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("64:ff9b::808:808", True),  # 8.8.8.8 by NAT64
        ("64:ff9b::a00:1", False),  # 10.0.0.1 by NAT64
        ("2002:a00:1::1", False),  # 10.0.0.1 by 6to4
        ("::ffff:169.254.169.254", False),
        ("::a00:1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("fc00::1", False),
        ("100.64.0.1", False),
        ("172.16.0.1", False),
        ("0.0.0.0", False),
        ("224.0.1.1", False),
        ("ff0e::1", False),
        ("255.255.255.255", False),
        ("240.0.0.1", False),
    ],
)
def test_is_public_looks_at_embedded_addresses(address: str, public: bool) -> None:
    assert outbound.is_public(address) is public


def test_the_call_connects_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch, settings: Any, receiver: Receiver
) -> None:
    """The name is public when it is checked, and means this machine if it is looked up again."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]  # nobody has this address

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(outbound, "is_public", lambda address: address == "192.0.2.1")
    settings.SCALING_PRIVATE_HOSTS = []

    no_response(f"http://localhost:{receiver.port}/scale", seconds=0.3)

    assert (asked, receiver.requests) == (["localhost"], [])


def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("8.8.8.8", "10.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)

    assert "is the private address 10.0.0.1" in blocked("https://both.example/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["http://169.254.169.254/latest/", "https://elsewhere.example/", "/other"])
def test_redirects_are_refused_wherever_they_lead(receiver: Receiver, status: int, to: str) -> None:
    receiver.manner = http(status, b"", Location=to)

    assert blocked(receiver.url) == (
        f"127.0.0.1 answered {status} and points to “{to}”. Redirects are not followed: enter the final address."
    )
    assert len(receiver.requests) == 1


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    assert outbound.get(url=receiver.status_url, secret=SECRET).status == 200


# --- how long, how large ------------------------------------------------------------------------------------
@pytest.mark.parametrize("manner", ["hangs", "trickles"])
def test_a_receiver_that_never_ends_is_abandoned(receiver: Receiver, manner: str) -> None:
    receiver.manner = manner

    assert no_response(receiver.url, seconds=0.4) == "127.0.0.1 gave no complete response in 0.4 seconds."
    until(lambda: not calls_under_way(), "the abandoned call has ended")


def test_a_body_that_stays_incomplete_is_abandoned(receiver: Receiver) -> None:
    receiver.manner = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"

    assert no_response(receiver.url, seconds=0.4) == (
        "127.0.0.1 lost the connection, or sent something that isn't HTTP (IncompleteRead)."
    )


def test_a_look_up_that_hangs_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(30) and [])

    try:
        assert (
            no_response("https://slow.example/", seconds=0.2)
            == "slow.example gave no complete response in 0.2 seconds."
        )
    finally:
        over.set()


def test_an_unknown_name_is_reported() -> None:
    assert no_response("https://nowhere.invalid/") == (
        "The name nowhere.invalid can't be looked up. Is it spelt correctly, and does this machine have DNS?"
    )


def test_a_name_that_is_too_long_is_reported() -> None:
    assert "can't be looked up" in no_response(f"https://{'a' * 64}.example/")


def test_a_closed_port_is_reported(receiver: Receiver) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

        assert no_response(f"http://127.0.0.1:{port}/") == "127.0.0.1 can't be reached: Connection refused."


def test_a_response_beyond_64_kib_is_abandoned(receiver: Receiver) -> None:
    receiver.manner = http(200, b"x" * (64 * 1024 + 1))

    assert no_response(receiver.url) == "127.0.0.1 answered with more than 64 KiB."

    receiver.manner = http(200, b"x" * 64 * 1024)

    assert len(post(receiver.url).body) == 64 * 1024


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"\0" * 100,
        b"HTTP/1.1 200 OK\r\n" * 9000,
    ],
)
def test_a_response_that_is_not_http_is_reported(receiver: Receiver, garbage: bytes) -> None:
    receiver.manner = garbage

    assert "lost the connection, or sent something that isn't HTTP" in no_response(receiver.url)


def test_a_response_that_is_not_json_is_reported(receiver: Receiver) -> None:
    receiver.manner = http(200, b"<html>")

    with pytest.raises(outbound.NoResponse, match="answered 200 with something that isn't JSON"):
        post(receiver.url).json()


# --- TLS ----------------------------------------------------------------------------------------------------
@pytest.fixture
def secure(tmp_path: Path, settings: Any) -> Iterator[tuple[str, Path]]:
    """Serve https://localhost; its URL and its certificate."""
    settings.SCALING_PRIVATE_HOSTS = ["localhost"]
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", key, "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=greet, args=(server, context))
        thread.start()
        yield f"https://localhost:{server.getsockname()[1]}/scale", certificate
        thread.join(10)


def greet(server: socket.socket, context: ssl.SSLContext) -> None:
    """Answer one caller that trusts the certificate."""
    try:
        with server.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as line:
            asked = b""
            while not asked.endswith(b"{}"):  # closing with something unread would reset the connection
                asked += line.recv(4096) or b"{}"
            line.sendall(http(200, b'{"well": true}'))
    except OSError:
        pass  # it didn't


def test_https_reaches_a_receiver_whose_certificate_is_trusted(
    monkeypatch: pytest.MonkeyPatch, secure: tuple[str, Path]
) -> None:
    url, certificate = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    assert post(url).json() == {"well": True}


def test_an_untrusted_certificate_is_refused(
    monkeypatch: pytest.MonkeyPatch, secure: tuple[str, Path]
) -> None:
    url, _certificate = secure
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    assert blocked(url) == "The certificate of localhost can't be trusted: self-signed certificate."
