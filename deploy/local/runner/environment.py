"""The environment variables of a local stack, also written to its state folder for people and manage.py.

It imports little, and only from the standard library: manage.py imports this before anything else.
"""

import fcntl
import json
import os
import secrets
import shlex
import sys
from collections.abc import Mapping, MutableMapping
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DEMO_FOLDER = ROOT / "var/demo"

# If one of these is set, the shop's servers are configured, and the demo's are not used instead.
SERVER_VARIABLES = (
    "DEMO",
    "DATABASE_URL",
    "LINE_REDIS_URL",
    "BROKER_URL",
    "STRIPE_SECRET_KEY",
    "STRIPE_PUBLISHABLE_KEY",
    "STRIPE_WEBHOOK_SECRET",
)

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = "127.0.0.1,localhost"
PASSWORDS = ("POSTGRES", "LINE_REDIS", "BROKER_REDIS")
SELLER = "Dropsite Editions\\n1 Loopback Lane\\n10115 Berlin\\nGermany"

# The events that payments/processing/webhooks.py handles; an endpoint at Stripe must send the same ones.
WEBHOOK_EVENTS = (
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "refund.created",
    "refund.failed",
    "refund.updated",
)


def run_folder(folder: Path) -> Path:
    """Return the folder for a stack's sockets: in /tmp, since a socket's path is limited to 107 bytes."""
    name = f"dropsite-{os.geteuid()}-{sha256(bytes(folder.resolve())).hexdigest()[:8]}"
    return Path("/tmp", name)  # noqa: S108 its owner is checked, its mode is 700


def postgres_folder(folder: Path) -> Path:
    """Return the folder of Postgres' files: outside the state folder for root (see servers/postgres.py)."""
    if os.geteuid():
        return folder / "postgres"
    name = f"dropsite-{sha256(bytes(folder.resolve())).hexdigest()[:12]}"
    return Path("/var/tmp", name)  # noqa: S108 its owner is checked


def _new_secrets() -> dict[str, str]:
    keys = {f"{name}_KEYS": f"k1:{secrets.token_hex(32)}" for name in ("TICKET", "PASS", "HOLD")}
    passwords = {f"{name}_PASSWORD": secrets.token_hex(16) for name in PASSWORDS}
    # People type the admin's password, so it is shorter than the others.
    admin_password = "-".join(secrets.token_hex(2) for _ in range(4))
    return {
        **keys,
        **passwords,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "SHUFFLE_KEY": secrets.token_hex(32),
        "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(16)}",
        "STRIPE_PUBLISHABLE_KEY": f"pk_test_{secrets.token_hex(16)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
        "DEMO_ADMIN_PASSWORD": admin_password,
    }


def _secrets(folder: Path) -> dict[str, str]:
    """Return the secrets of a state folder; those that it lacks are made and stored."""
    path = folder / "secrets.json"
    stored: dict[str, str] = {}
    if path.exists():
        stored = json.loads(path.read_text())
    complete = _new_secrets() | stored
    if complete != stored:
        write_private(path, json.dumps(complete, indent=1))
    return complete


def write_private(path: Path, text: str) -> None:
    """Replace a file by one of mode 600 in one step, so that no reader sees half of it."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def compose(*, folder: Path, port_numbers: Mapping[str, int]) -> dict[str, str]:
    """Return all variables of a stack with this state folder: the shop's and the local servers'."""
    stored = _secrets(folder)
    passwords = {name: stored.pop(f"{name}_PASSWORD") for name in PASSWORDS}
    address = {name: f"{LOOPBACK}:{port}" for name, port in port_numbers.items()}
    shop = f"http://{address['PORT_EDGE']}"
    sandbox = f"http://{address['PORT_SANDBOX']}"
    return {
        **stored,
        **{name: str(port) for name, port in port_numbers.items()},
        "DEMO": "1",
        "DATABASE_URL": f"postgresql://shop:{passwords['POSTGRES']}@{address['PORT_POSTGRES']}/shop",
        "LINE_REDIS_URL": f"redis://:{passwords['LINE_REDIS']}@{address['PORT_LINE_REDIS']}/0",
        "BROKER_URL": f"redis://:{passwords['BROKER_REDIS']}@{address['PORT_BROKER_REDIS']}/0",
        "SANDBOX_DIR": str(folder / "sandbox"),
        "SANDBOX_SECRET_KEY": stored["STRIPE_SECRET_KEY"],
        "SANDBOX_PUBLISHABLE_KEY": stored["STRIPE_PUBLISHABLE_KEY"],
        "SANDBOX_ORIGIN": sandbox,
        "SANDBOX_SHOP_ORIGINS": f"{shop},http://localhost:{port_numbers['PORT_EDGE']}",
        "SANDBOX_WEBHOOK_URL": f"{shop}/webhooks/stripe/",
        "SANDBOX_WEBHOOK_SECRET": stored["STRIPE_WEBHOOK_SECRET"],
        "SANDBOX_WEBHOOK_EVENTS": ",".join(WEBHOOK_EVENTS),
        "STRIPE_API_BASE": sandbox,
        "STRIPE_JS_URL": f"{sandbox}/stripe.js",
        "SHOP_ORIGIN": shop,
        "ALLOWED_HOSTS": LOOPBACK_NAMES,
        "SHOP_NAME": "Dropsite",
        "SHOP_TIME_ZONE": "Europe/Berlin",
        "SELLER": SELLER,
        "MAIL_FROM": "Dropsite <shop@dropsite.example>",
        "EMAIL_URL": f"smtp://{address['PORT_SMTP']}",
        "MEDIA_ROOT": str(folder / "media"),
        "STATIC_ROOT": str(folder / "static"),
        "RUN_DIR": str(run_folder(folder)),
        "STACK_FOLDER": str(folder),
        "STACK_LOG": str(folder / "log"),
        "EDGE_ACCESS_LOG": str(folder / "edge.log"),
        "LOG_LEVEL": "WARNING",
    }


def for_programs(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the programs' whole environment: what they inherit, what keeps them quiet, and the variables."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "DJANGO_", "COVERAGE_"))
    }
    return {
        **inherited,
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "",  # a dozen processes load the same modules: compile them once
        # Otherwise requests would send calls to the sandbox on this machine through a company's proxy.
        "NO_PROXY": LOOPBACK_NAMES,
        "no_proxy": LOOPBACK_NAMES,
        # Celery warns about root at each start, and in containers the demo often runs as root.
        "C_FORCE_ROOT": "1",
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        **variables,
    }


def write(path: Path, variables: Mapping[str, str]) -> None:
    """Write the variables as lines for a shell: `. var/demo/env`."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())]
    write_private(path, "".join(lines))


def read(path: Path) -> dict[str, str]:
    """Return the variables of a file that `write` has written."""
    assignments = [part for part in shlex.split(path.read_text()) if part != "export"]
    return dict(assignment.split("=", 1) for assignment in assignments)


def is_running(folder: Path) -> bool:
    """Whether a stack is running with this state folder: its supervisor holds the lock."""
    try:
        with open(folder / "lock", "rb") as lock:
            # A shared lock, so that two such checks don't block each other.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def use_demo_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let a plain `manage.py` use the running demo: take over its variables and print a line.

    Does nothing if one of SERVER_VARIABLES is set, or if no demo is running.
    """
    is_configured = any(name in environment for name in SERVER_VARIABLES)
    if is_configured or not is_running(DEMO_FOLDER):
        return
    environment.update(read(DEMO_FOLDER / "env"))
    print(f"Using the running demo, {environment['SHOP_ORIGIN']} (var/demo/env).", file=sys.stderr)
