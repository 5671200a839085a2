"""Signed HTTP: what is signed, where it may go, and how long and how large an answer may be."""

import socket
import ssl
import subprocess
import threading

import pytest

from shop.core import outbound
from tests.drops.scaling.receiver import SECRET, Receiver, http, serve


@pytest.fixture
def receiver(settings):
    settings.SCALING_PRIVATE_HOSTS = ["127.0.0.1", "localhost"]
    with serve(Receiver()) as running:
        yield running


def post(url, *, body=b"{}", seconds=5.0, key="key-1"):
    return outbound.post(url=url, body=body, secret=SECRET, key=key, seconds=seconds)


def barred(url, **more):
    with pytest.raises(outbound.AddressBlocked) as caught:
        post(url, **more)
    return str(caught.value)


def unanswered(url, **more):
    with pytest.raises(outbound.NoResponse) as caught:
        post(url, **more)
    return str(caught.value)


# --- the signature -------------------------------------------------------------------------------------------------
def test_sign_gives_the_published_test_vector():
    signature = outbound.sign(
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        key="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=1614265330,
        body=b'{"test": 2432232314}',
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_sign_takes_a_plain_secret_as_it_is():
    plain = outbound.sign(secret="plain", key="a", at=1, body=b"")

    assert plain == outbound.sign(secret="whsec_cGxhaW4=", key="a", at=1, body=b"")


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [("", "There is no secret to sign with."), ("whsec_%%", "The secret begins with whsec_, but no base64 follows.")],
)
def test_sign_refuses_a_secret_that_is_none(secret, sentence):
    with pytest.raises(outbound.AddressBlocked, match=sentence):
        outbound.sign(secret=secret, key="a", at=1, body=b"")


def test_a_post_verifies_at_the_receiver(receiver):
    answer = post(receiver.url, body=b'{"version": 1, "url": "%s", "size": 8}' % receiver.url.encode())

    assert (answer.status, answer.json(), answer.request_id) == (202, {"accepted": True}, "request-7")
    assert (receiver.keys, receiver.size) == (["key-1"], 8)


def test_a_get_verifies_at_the_receiver(receiver):
    answer = outbound.get(url=receiver.status_url, secret=SECRET)

    assert (answer.status, answer.json()["size"]) == (200, 2)


def test_a_body_that_was_changed_on_the_way_does_not_verify(receiver):
    receiver.secret = "whsec_AAAA"

    assert post(receiver.url).status == 401


@pytest.mark.parametrize("key", ["", "a.b", "a\r\nX: y", "ä"])
def test_a_key_that_could_forge_a_header_is_a_mistake_of_ours(receiver, key):
    with pytest.raises(ValueError, match="a key is letters"):
        post(receiver.url, key=key)


# --- where it may go -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://ops.example/x", "The address must begin with https://."),
        ("", "The address must begin with https://."),
        ("https:///x", "The address names no host."),
        ("https://user:password@ops.example/", "The address may hold no name or password: the call is signed instead."),
        ("https://ops.example/a b", "This is no web address: write it in ASCII"),
        ("https://ops.example/\r\nX: y", "This is no web address: write it in ASCII"),
        ("https://öps.example/", "This is no web address: write it in ASCII"),
        ("https://ops.example/" + "a" * 2000, "This is no web address: write it in ASCII"),
        ("https://ops.example:99999/", "This is no web address: Port out of range"),
        ("https://[::1/", "This is no web address: Invalid IPv6 URL"),
    ],
)
def test_an_address_that_is_none_is_refused(url, sentence):
    assert barred(url).startswith(sentence)


def test_plain_http_is_for_the_demo_only(settings, receiver):
    settings.DEMO = False

    assert barred(receiver.url) == "The address must begin with https://."
    assert receiver.requests == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_this_machine_is_refused_however_it_is_spelt(settings, receiver, host):
    settings.SCALING_PRIVATE_HOSTS = []

    sentence = barred(f"http://{host}:{receiver.port}/scale")

    assert "is the private address" in sentence
    assert "If that is right, add it to SCALING_PRIVATE_HOSTS." in sentence
    assert receiver.requests == []


@pytest.mark.parametrize("host", ["169.254.169.254", "10.1.2.3", "192.168.0.1", "[fd00:ec2::254]"])
def test_private_networks_and_metadata_are_refused(host):
    assert "is the private address" in barred(f"http://{host}/latest/meta-data/")


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
def test_is_public_looks_into_addresses_within_addresses(address, public):
    assert outbound.is_public(address) is public


def test_what_was_looked_up_and_checked_is_what_is_connected_to(monkeypatch, settings, receiver):
    """A name that is public when it is checked, and this machine for whoever looks it up again."""
    asked = []

    def look_up(host, port, **_):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]  # nobody has this address

    monkeypatch.setattr(outbound.socket, "getaddrinfo", look_up)
    monkeypatch.setattr(outbound, "is_public", lambda address: address == "192.0.2.1")
    settings.SCALING_PRIVATE_HOSTS = []

    unanswered(f"http://localhost:{receiver.port}/scale", seconds=0.3)

    assert (asked, receiver.requests) == (["localhost"], [])


def test_one_private_address_among_public_ones_is_refused(monkeypatch):
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(outbound.socket, "getaddrinfo", lambda *_, **__: rows)

    assert "is the private address 10.0.0.1" in barred("https://both.example/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["http://169.254.169.254/latest/", "https://elsewhere.example/", "/other"])
def test_redirects_are_refused_wherever_they_lead(receiver, status, to):
    receiver.manner = http(status, b"", Location=to)

    assert barred(receiver.url) == (
        f"127.0.0.1 answered {status} and points to “{to}”. Redirects are not followed: put in where it ends."
    )
    assert len(receiver.requests) == 1


def test_a_proxy_of_the_environment_is_not_used(monkeypatch, receiver):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    assert outbound.get(url=receiver.status_url, secret=SECRET).status == 200


# --- how long, how large -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("manner", ["hangs", "trickles"])
def test_a_receiver_that_never_ends_is_left(receiver, manner):
    receiver.manner = manner

    assert unanswered(receiver.url, seconds=0.4) == "127.0.0.1 gave no whole answer in 0.4 seconds."


def test_a_body_that_never_ends_is_left(receiver):
    receiver.manner = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"

    assert unanswered(receiver.url, seconds=0.4) == (
        "127.0.0.1 broke off, or answered something that is not HTTP (IncompleteRead)."
    )


def test_a_look_up_that_hangs_is_left(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(outbound.socket, "getaddrinfo", lambda *_, **__: over.wait(30) and [])

    try:
        assert unanswered("https://slow.example/", seconds=0.2) == "slow.example gave no whole answer in 0.2 seconds."
    finally:
        over.set()


def test_a_name_that_is_not_there_is_told():
    assert unanswered("https://nowhere.invalid/") == (
        "The name nowhere.invalid can't be looked up. Is it spelt right, and does this machine have DNS?"
    )


def test_a_name_that_is_too_long_is_told():
    assert "can't be looked up" in unanswered(f"https://{'a' * 64}.example/")


def test_a_port_that_is_closed_is_told(receiver):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

        assert unanswered(f"http://127.0.0.1:{port}/") == "127.0.0.1 can't be reached: Connection refused."


def test_an_answer_beyond_64_kib_is_left(receiver):
    receiver.manner = http(200, b"x" * (64 * 1024 + 1))

    assert unanswered(receiver.url) == "127.0.0.1 answered more than 64 KiB."

    receiver.manner = http(200, b"x" * 64 * 1024)

    assert len(post(receiver.url).body) == 64 * 1024


@pytest.mark.parametrize(
    "garbage",
    [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 two hundred\r\n\r\n", b"\0" * 100, b"HTTP/1.1 200 OK\r\n" * 9000],
)
def test_what_is_not_http_is_told(receiver, garbage):
    receiver.manner = garbage

    assert "broke off, or answered something that is not HTTP" in unanswered(receiver.url)


def test_what_is_not_json_is_told(receiver):
    receiver.manner = http(200, b"<html>")

    with pytest.raises(outbound.NoResponse, match="answered 200 with something that is not JSON"):
        post(receiver.url).json()


# --- TLS -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def secure(tmp_path, settings):
    """A receiver at https://localhost; where its certificate lies."""
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


def greet(server, context):
    """Answer one caller, if he trusts the certificate."""
    try:
        with server.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as line:
            asked = b""
            while not asked.endswith(b"{}"):  # who closes with something unread resets the line, answer and all
                asked += line.recv(4096) or b"{}"
            line.sendall(http(200, b'{"well": true}'))
    except OSError:
        pass  # he did not


def test_https_reaches_a_receiver_whose_certificate_is_trusted(monkeypatch, secure):
    url, certificate = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    assert post(url).json() == {"well": True}


def test_a_certificate_that_nobody_vouches_for_is_refused(monkeypatch, secure):
    url, _certificate = secure
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    assert barred(url) == "The certificate of localhost can't be trusted: self-signed certificate."
