"""The CSS of a theme: a drop's colours and its display typeface. Pure: the gate uses it without Django."""

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True)
class Typeface:
    """A display typeface: family, weight, and static file.

    The stylesheet itself loads the one without a file.
    """

    family: str
    weight: int
    file: str = ""


DEFAULT_TYPEFACE = "host-grotesk"
TYPEFACES = {
    "host-grotesk": Typeface("Host Grotesk", 600),
    "abril-fatface": Typeface("Abril Fatface", 400, "shop/fonts/abril-fatface-latin-400-normal.woff2"),
    "archivo-black": Typeface("Archivo Black", 400, "shop/fonts/archivo-black-latin-400-normal.woff2"),
    "overpass": Typeface("Overpass", 700, "shop/fonts/overpass-latin-700-normal.woff2"),
    "barlow-condensed": Typeface(
        "Barlow Condensed", 600, "shop/fonts/barlow-condensed-latin-600-normal.woff2"
    ),
}


def root_css(*, ground: str, ink: str, signal: str, typeface: Typeface) -> str:
    """Return the :root rule of a theme. Raises ValueError for anything that isn't a colour."""
    scheme = "dark" if lightness(ground) < lightness(ink) else "light"
    return (
        f":root{{--ground:{checked(ground)};--ink:{checked(ink)};--signal:{checked(signal)};"
        f'--face:"{typeface.family}",var(--text);--heavy:{typeface.weight};color-scheme:{scheme}}}'
    )


def checked(colour: str) -> str:
    """Return the colour, if it is one: then it can't end the rule that it stands in. Raises ValueError."""
    if not COLOUR.fullmatch(colour):
        raise ValueError(f"{colour!r} is not a colour such as #1c1a17")
    return colour


def lightness(colour: str) -> float:
    """Return roughly how light a colour is, from 0 to 255: enough to tell a dark ground from a light one."""
    red, green, blue = bytes.fromhex(checked(colour)[1:])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def csp_source(css: str) -> str:
    """Return the source expression by which a Content-Security-Policy allows this style element."""
    digest = b64encode(sha256(css.encode()).digest()).decode()
    return f"'sha256-{digest}'"
