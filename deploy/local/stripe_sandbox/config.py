"""The sandbox's settings, read from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


class ConfigError(Exception):
    """The sandbox can't start with these settings. The message is for the person who started it."""


@dataclass(frozen=True, kw_only=True)
class Config:
    folder: Path
    secret_key: str
    publishable_key: str
    origin: str
    """The sandbox's own origin, without a trailing slash."""
    shop_origins: tuple[str, ...]
    """Origins that may embed the card frame and call with the publishable key."""
    webhook_url: str
    """Empty: events are stored, but none is delivered."""
    webhook_secrets: tuple[str, ...]
    """Each of them signs every delivery, as at Stripe while a secret is being rolled."""
    webhook_events: frozenset[str]
    """Event types that are delivered; empty means all."""
    webhook_retry_seconds: float
    rate: float
    rate_per_endpoint: float

    @property
    def hosts(self) -> frozenset[str]:
        """The accepted values of the Host header.

        Others are refused, so that no foreign name can point here.
        """
        own = urlsplit(self.origin)
        port = ""
        if own.port:
            port = f":{own.port}"
        return frozenset({own.netloc, f"127.0.0.1{port}", f"localhost{port}"})


REQUIRED_VARIABLES = ("SANDBOX_DIR", "SANDBOX_SECRET_KEY", "SANDBOX_PUBLISHABLE_KEY", "SANDBOX_ORIGIN")


def from_environ(environ: Mapping[str, str]) -> Config:
    """Return the validated settings.

    Raises ConfigError outside the demo, beside a live key, and for a variable that is missing or invalid.
    """
    if environ.get("DEMO") != "1":
        raise ConfigError("The sandbox stands in for Stripe in the demo and in tests only: it needs DEMO=1.")
    missing = [name for name in REQUIRED_VARIABLES if not environ.get(name)]
    if missing:
        raise ConfigError(f"The sandbox can't start without {', '.join(missing)}.")
    if not environ["SANDBOX_SECRET_KEY"].startswith("sk_test_"):
        raise ConfigError("SANDBOX_SECRET_KEY must begin with sk_test_.")
    if not environ["SANDBOX_PUBLISHABLE_KEY"].startswith("pk_test_"):
        raise ConfigError("SANDBOX_PUBLISHABLE_KEY must begin with pk_test_.")
    webhook_url = environ.get("SANDBOX_WEBHOOK_URL", "")
    if webhook_url and not webhook_url.startswith(("http://", "https://")):
        raise ConfigError("SANDBOX_WEBHOOK_URL must begin with http:// or https://.")
    webhook_secrets = _split_list(environ.get("SANDBOX_WEBHOOK_SECRET", ""))
    if webhook_url and not webhook_secrets:
        raise ConfigError("The sandbox can't sign webhooks without SANDBOX_WEBHOOK_SECRET.")
    return Config(
        folder=Path(environ["SANDBOX_DIR"]),
        secret_key=environ["SANDBOX_SECRET_KEY"],
        publishable_key=environ["SANDBOX_PUBLISHABLE_KEY"],
        origin=environ["SANDBOX_ORIGIN"].rstrip("/"),
        shop_origins=_split_list(environ.get("SANDBOX_SHOP_ORIGINS", "")),
        webhook_url=webhook_url,
        webhook_secrets=webhook_secrets,
        webhook_events=frozenset(_split_list(environ.get("SANDBOX_WEBHOOK_EVENTS", ""))),
        webhook_retry_seconds=_positive_number(environ, "SANDBOX_WEBHOOK_RETRY_SECONDS", default=1),
        rate=_positive_number(environ, "SANDBOX_RATE", default=100),
        rate_per_endpoint=_positive_number(environ, "SANDBOX_RATE_PER_ENDPOINT", default=25),
    )


def _split_list(value: str) -> tuple[str, ...]:
    """Return the parts of a comma-separated list, without spaces, trailing slashes or empty parts."""
    parts = [part.strip().rstrip("/") for part in value.split(",")]
    return tuple(part for part in parts if part)


def _positive_number(environ: Mapping[str, str], name: str, *, default: float) -> float:
    try:
        value = float(environ.get(name) or default)
    except ValueError:
        value = 0
    if value <= 0:
        raise ConfigError(f"{name} must be a number greater than 0.")
    return value
