"""The environment of a local stack: made once per state folder, written there for people and for manage.py.

Only the standard library, and little of it: manage.py imports this before anything else.
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

ROOT = Path(__file__).resolve().parents[2]
DEMO_FOLDER = ROOT / "var/demo"

# Whoever sets one of these has said where the shop's servers are: the demo's are not taken then.
DECIDES = (
    "DEMO",
    "DATABASE_URL",
    "LINE_REDIS_URL",
    "BROKER_URL",
    "STRIPE_SECRET_KEY",
    "STRIPE_PUBLISHABLE_KEY",
    "STRIPE_WEBHOOK_SECRET",
)

SELLER = "Dropsite Editions\\n1 Loopback Lane\\n10115 Berlin\\nGermany"


# What the shop uses; an endpoint at Stripe is set up for the same (payments/processing/webhooks.py).
WEBHOOK_EVENTS = (
    "amount_capturable_updated",
    "canceled",
    "payment_failed",
    "processing",
    "requires_action",
    "succeeded",
)


def run_folder(folder: Path) -> Path:
    """Where a stack's sockets are: the path of a socket may have 107 bytes, too few for many a home."""
    name = f"dropsite-{os.geteuid()}-{sha256(bytes(folder.resolve())).hexdigest()[:8]}"
    return Path("/tmp", name)  # noqa: S108 its owner is checked, its mode is 700


def _new_secrets() -> dict[str, str]:
    """What must not be guessed. The password of the admin is for typing, so it is shorter."""
    keys = {f"{name}_KEYS": f"k1:{secrets.token_hex(32)}" for name in ("TICKET", "PASS", "HOLD")}
    passwords = {f"{name}_PASSWORD": secrets.token_hex(16) for name in ("POSTGRES", "LINE_REDIS", "BROKER_REDIS")}
    return (
        keys
        | passwords
        | {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "SHUFFLE_KEY": secrets.token_hex(32),
            "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(16)}",
            "STRIPE_PUBLISHABLE_KEY": f"pk_test_{secrets.token_hex(16)}",
            "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
            "DEMO_ADMIN_PASSWORD": "-".join(secrets.token_hex(2) for _ in range(4)),
        }
    )


def _secrets(folder: Path) -> dict[str, str]:
    """The secrets of a state folder: read, or made and kept; one that an older version lacked is added."""
    path = folder / "secrets.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    found = _new_secrets() | kept
    if found != kept:
        write_private(path, json.dumps(found, indent=1))
    return found


def write_private(path: Path, text: str) -> None:
    """Put a file of mode 600 in place as a whole, never half of it."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def compose(*, folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """All variables of a stack whose state lies in `folder`: those of the shop and those of the local servers."""
    kept = _secrets(folder)
    passwords = {name: kept.pop(f"{name}_PASSWORD") for name in ("POSTGRES", "LINE_REDIS", "BROKER_REDIS")}
    at = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    return (
        kept
        | {name: str(port) for name, port in ports.items()}
        | {
            "DEMO": "1",
            "DATABASE_URL": f"postgresql://shop:{passwords['POSTGRES']}@{at['PORT_POSTGRES']}/shop",
            "LINE_REDIS_URL": f"redis://:{passwords['LINE_REDIS']}@{at['PORT_LINE_REDIS']}/0",
            "BROKER_URL": f"redis://:{passwords['BROKER_REDIS']}@{at['PORT_BROKER_REDIS']}/0",
            "SANDBOX_DIR": str(folder / "sandbox"),
            "SANDBOX_SECRET_KEY": kept["STRIPE_SECRET_KEY"],
            "SANDBOX_PUBLISHABLE_KEY": kept["STRIPE_PUBLISHABLE_KEY"],
            "SANDBOX_ORIGIN": f"http://{at['PORT_SANDBOX']}",
            "SANDBOX_SHOP_ORIGINS": f"http://{at['PORT_EDGE']},http://localhost:{ports['PORT_EDGE']}",
            "SANDBOX_WEBHOOK_URL": f"http://{at['PORT_EDGE']}/webhooks/stripe/",
            "SANDBOX_WEBHOOK_SECRET": kept["STRIPE_WEBHOOK_SECRET"],
            "SANDBOX_WEBHOOK_EVENTS": ",".join(f"payment_intent.{name}" for name in WEBHOOK_EVENTS),
            "STRIPE_API_BASE": f"http://{at['PORT_SANDBOX']}",
            "STRIPE_JS_URL": f"http://{at['PORT_SANDBOX']}/stripe.js",
            "SHOP_ORIGIN": f"http://{at['PORT_EDGE']}",
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "SHOP_NAME": "Dropsite",
            "SHOP_TIME_ZONE": "Europe/Berlin",
            "SELLER": SELLER,
            "MAIL_FROM": "Dropsite <shop@dropsite.example>",
            "EMAIL_URL": f"smtp://{at['PORT_SMTP']}",
            "MEDIA_ROOT": str(folder / "media"),
            "STATIC_ROOT": str(folder / "static"),
            "RUN_DIR": str(run_folder(folder)),
            "STACK_FOLDER": str(folder),
            "STACK_LOG": str(folder / "log"),
            "EDGE_ACCESS_LOG": str(folder / "edge.log"),
            "LOG_LEVEL": "WARNING",
        }
    )


def of_programs(variables: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of the programs: ours, what was inherited, and what keeps them quiet and on loopback."""
    near = "127.0.0.1,localhost"  # else requests asks a company's proxy for the sandbox on this machine
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "DJANGO_"))}
    return (
        inherited
        | {
            "PATH": path,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "",  # a dozen processes load the same modules: compile them once
            "NO_PROXY": near,
            "no_proxy": near,
            "C_FORCE_ROOT": "1",
            # Celery warns of root at each start; a container's root is what the demo is often run by.
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        }
        | dict(variables)
    )


def write(path: Path, variables: Mapping[str, str]) -> None:
    """Leave the variables as lines for a shell: `. var/demo/env`."""
    write_private(path, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())))


def read(path: Path) -> dict[str, str]:
    """The variables that `write` left."""
    words = shlex.split(path.read_text())
    return dict(word.split("=", 1) for word in words if word != "export")


def is_running(folder: Path) -> bool:
    """Whether a stack runs on this state folder now: it holds the lock as long as one of its runners lives."""
    try:
        with open(folder / "lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look must not see each other
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def take_demo_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let a bare `manage.py` speak to the demo that runs here: take its variables, and say so.

    Does nothing if one of DECIDES is set, or no demo runs.
    """
    if any(name in environment for name in DECIDES) or not is_running(DEMO_FOLDER):
        return
    environment.update(read(DEMO_FOLDER / "env"))
    print(f"Using the demo that runs now, {environment['SHOP_ORIGIN']} (var/demo/env).", file=sys.stderr)
