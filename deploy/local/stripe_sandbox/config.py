"""What the sandbox reads from its environment, and why it refuses to start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


class Refused(Exception):
    """The sandbox must not start; the message is one sentence for whoever started it."""


@dataclass(frozen=True, kw_only=True)
class Config:
    folder: Path
    secret_key: str
    publishable_key: str
    origin: str
    """The sandbox's own origin, without a slash at the end."""
    shop_origins: tuple[str, ...]
    """Origins that may embed the card frame and call with the publishable key."""
    webhook_url: str
    """Empty: events are kept, none is delivered."""
    webhook_secrets: tuple[str, ...]
    """Each signs every delivery, as Stripe does while a secret is rolled."""
    webhook_events: frozenset[str]
    """Types that are delivered; empty means all."""
    webhook_retry_seconds: float
    rate: float
    rate_per_endpoint: float

    @property
    def hosts(self) -> frozenset[str]:
        """Values of the Host header that are answered: a foreign name that points here is not."""
        own = urlsplit(self.origin)
        port = f":{own.port}" if own.port else ""
        return frozenset({own.netloc, f"127.0.0.1{port}", f"localhost{port}"})


NEEDED = ("SANDBOX_DIR", "SANDBOX_SECRET_KEY", "SANDBOX_PUBLISHABLE_KEY", "SANDBOX_ORIGIN")


def read(environ: Mapping[str, str]) -> Config:
    """Read the settings. Raises Refused outside the demo, and when something is missing or makes no sense."""
    if environ.get("DEMO") != "1":
        raise Refused("The sandbox stands in for Stripe in the demo and in tests only: it starts with DEMO=1.")
    if missing := [name for name in NEEDED if not environ.get(name)]:
        raise Refused(f"The sandbox does not start without {', '.join(missing)}.")
    if not environ["SANDBOX_SECRET_KEY"].startswith("sk_test_"):
        raise Refused("SANDBOX_SECRET_KEY must begin with sk_test_.")
    if not environ["SANDBOX_PUBLISHABLE_KEY"].startswith("pk_test_"):
        raise Refused("SANDBOX_PUBLISHABLE_KEY must begin with pk_test_.")
    webhook_url = environ.get("SANDBOX_WEBHOOK_URL", "")
    if webhook_url and not webhook_url.startswith("http://"):
        raise Refused("SANDBOX_WEBHOOK_URL must be a plain http:// address: the sandbox speaks to this machine only.")
    secrets = _words(environ.get("SANDBOX_WEBHOOK_SECRET", ""))
    if webhook_url and not secrets:
        raise Refused("The sandbox does not deliver webhooks without SANDBOX_WEBHOOK_SECRET.")
    return Config(
        folder=Path(environ["SANDBOX_DIR"]),
        secret_key=environ["SANDBOX_SECRET_KEY"],
        publishable_key=environ["SANDBOX_PUBLISHABLE_KEY"],
        origin=environ["SANDBOX_ORIGIN"].rstrip("/"),
        shop_origins=_words(environ.get("SANDBOX_SHOP_ORIGINS", "")),
        webhook_url=webhook_url,
        webhook_secrets=secrets,
        webhook_events=frozenset(_words(environ.get("SANDBOX_WEBHOOK_EVENTS", ""))),
        webhook_retry_seconds=_number(environ, "SANDBOX_WEBHOOK_RETRY_SECONDS", 1),
        rate=_number(environ, "SANDBOX_RATE", 100),
        rate_per_endpoint=_number(environ, "SANDBOX_RATE_PER_ENDPOINT", 25),
    )


def _words(value: str) -> tuple[str, ...]:
    return tuple(word for word in (part.strip().rstrip("/") for part in value.split(",")) if word)


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    try:
        value = float(environ.get(name) or default)
    except ValueError:
        value = 0
    if value <= 0:
        raise Refused(f"{name} must be a number above 0.")
    return value
