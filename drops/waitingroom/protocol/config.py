"""The gate's configuration from the environment, as in dropsite/settings.py but without Django."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drops.waitingroom.protocol.tickets import Keyring

ROOT = Path(__file__).resolve().parents[3]


class GateConfigError(Exception):
    """Variables are missing or wrong. The message names them all, and contains no secret."""


@dataclass(frozen=True, slots=True)
class GateConfig:
    """`origin` is the shop's, as scheme://host[:port]; `secure` is false only in a demo over plain http."""

    redis_url: str
    origin: str
    secure: bool
    ticket_keys: Keyring
    pass_keys: Keyring
    shop_name: str
    language: str
    static_root: Path
    time_zone: ZoneInfo


def read(environ: Mapping[str, str]) -> GateConfig:
    """Return the configuration. Raises: ConfigError."""
    faults: list[str] = []

    def text(name: str) -> str:
        if not environ.get(name):
            faults.append(name)
        return environ.get(name, "")

    def keys(name: str) -> Keyring:
        try:
            # A missing variable is reported by text(); the placeholder keeps it from being reported twice.
            return Keyring.parse(text(name) or "none:" + 32 * "0")
        except ValueError as error:
            faults.append(f"{name} ({error})")
            return Keyring("", {})

    def zone(name: str) -> ZoneInfo:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            faults.append("SHOP_TIME_ZONE (must look like Europe/Berlin)")
            return ZoneInfo("Etc/UTC")

    origin = text("SHOP_ORIGIN").rstrip("/")
    demo = environ.get("DEMO", "").lower() in {"1", "true", "yes", "on"}
    parts = urlsplit(origin)
    if origin and (parts.scheme not in {"http", "https"} or not parts.netloc or parts.path):
        faults.append("SHOP_ORIGIN (must look like https://shop.example)")
    elif parts.scheme == "http" and not demo:
        faults.append("SHOP_ORIGIN (plain http needs DEMO=1)")
    config = GateConfig(
        redis_url=text("LINE_REDIS_URL"),
        origin=origin,
        secure=parts.scheme == "https",
        ticket_keys=keys("TICKET_KEYS"),
        pass_keys=keys("PASS_KEYS"),
        shop_name=environ.get("SHOP_NAME", "Dropsite"),
        language=environ.get("LANGUAGE_CODE") or "en",
        static_root=Path(environ.get("STATIC_ROOT") or ROOT / "var" / "static"),
        time_zone=zone(environ.get("SHOP_TIME_ZONE") or "Europe/Berlin"),
    )
    if faults:
        raise GateConfigError(
            f"The gate can't start. These environment variables are missing or wrong: {', '.join(faults)}."
        )
    return config
