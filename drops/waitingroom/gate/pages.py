"""The gate's few pages: the line without script, and refusals of forms. string.Template; every value is escaped."""

import json
import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template

from drops.waitingroom.gate import responses, texts
from drops.waitingroom.gate.cache import CachedDrop
from drops.waitingroom.gate.language import gettext as _
from drops.waitingroom.gate.panel import Panel
from drops.waitingroom.gate.refusals import GateRefused
from drops.waitingroom.gate.responses import Response
from drops.waitingroom.protocol.config import ROOT, Config

COLOUR = re.compile(r"#[0-9a-f]{6}")
FACES = {  # as in shop.theme: the face's family and weight
    "abril-fatface": ("Abril Fatface", 400),
    "archivo-black": ("Archivo Black", 400),
    "overpass": ("Overpass", 700),
    "barlow-condensed": ("Barlow Condensed", 600),
}


class Manifest:
    """Names of static files as collectstatic hashed them. Read once it is there: a release may still be writing it."""

    def __init__(self, root: Path) -> None:
        self.path = root / "staticfiles.json"
        self.names: dict[str, str] | None = None

    def url(self, name: str) -> str:
        """The address of a static file."""
        if self.names is None and self.path.exists():
            self.names = json.loads(self.path.read_text())["paths"]
        return f"/static/{(self.names or {}).get(name, name)}"


class Pages:
    """Templates and static names, read once a process."""

    def __init__(self, config: Config) -> None:
        self.shop = config.shop_name
        self.language = config.language
        self.manifest = Manifest(config.static_root)
        folder = ROOT / "templates" / "gate"
        self.templates = {path.stem: Template(path.read_text()) for path in folder.glob("*.html")}

    def line(self, slug: str, line: CachedDrop, panel: Panel) -> Response:
        """The panel of the line, as a page of its own."""
        title = line.look.get("title") or slug
        keep = [_(texts.KEEP)] if panel.count else []
        if panel.count and panel.refresh:
            keep.append(_(texts.AGAIN).format(seconds=panel.refresh))
        main = self._fill(
            "line",
            {"title": title, "lead": panel.lead, "slug": slug, "to_drop": _(texts.TO_DROP)},
            count=_count(panel.count),
            keep=f'<p class="small">{escape(" ".join(keep))}</p>' if keep else "",
            notes="\n".join(f"<p>{escape(note)}</p>" for note in panel.notes),
            editions=_rows(panel.editions),
            action=self._action(slug, panel),
        )
        html, source = self._page(_(texts.IN_LINE).format(title=title), main, title, line.look)
        return responses.page(200, html, style_source=source, refresh=str(panel.refresh or ""))

    def refusal(self, refused: GateRefused, *, slug: str, look: Mapping[str, str]) -> Response:
        """A refusal as a page. It goes back to the line by itself when it may; a join waits for another press."""
        back = f"/line/{slug}/"
        url, text = (back, _(texts.TO_LINE)) if slug else ("/", _(texts.TO_FRONT))
        action = self._join(slug, refused.key) if refused.key else self._fill("back", {"url": url, "text": text})
        words = {"title": refused.title, "reason": refused.reason, "money": _(texts.NOT_CHARGED)}
        main = self._fill("refusal", words, action=action)
        html, source = self._page(refused.title, main, look.get("title") or self.shop, look)
        refresh = f"{refused.retry}; url={back}" if refused.retry is not None and slug and not refused.key else ""
        return responses.page(refused.status, html, style_source=source, retry=refused.retry, refresh=refresh)

    def _join(self, slug: str, key: str) -> str:
        return self._fill("join", {"slug": slug, "key": key, "text": _(texts.JOIN)})

    def _action(self, slug: str, panel: Panel) -> str:
        if panel.action == "join":
            return self._join(slug, secrets.token_hex(16))
        if panel.action == "enter":
            return self._fill("enter", {"slug": slug, "text": _(texts.ENTER)})
        return ""

    def _page(self, title: str, main: str, subject: str, look: Mapping[str, str]) -> tuple[str, str]:
        style = css(look)
        words = {
            "title": f"{title} · {self.shop}",
            "description": _(texts.DESCRIPTION).format(title=subject),
            "skip": _(texts.SKIP),
            "navigation": _(texts.SHOP),
            "archive": _(texts.ARCHIVE),
            "how": _(texts.HOW),
            "language": self.language,
            "shop": self.shop,
            "stylesheet": self.manifest.url("shop/site.css"),
            "icon": self.manifest.url("shop/icon.svg"),
        }
        digest = b64encode(sha256(style.encode()).digest()).decode()
        return self._fill("page", words, style=style, main=main), f"'sha256-{digest}'"

    def _fill(self, name: str, words: Mapping[str, str], **markup: str) -> str:
        """Fill a template with words, which are escaped, and with markup that is made here."""
        return self.templates[name].substitute({key: escape(word) for key, word in words.items()} | markup)


def css(look: Mapping[str, str]) -> str:
    """The style element's text: a drop's colours and face, as far as they are what they should be."""
    rules = [f"--{name}:{look[name]}" for name in ("ground", "ink", "signal") if COLOUR.fullmatch(look.get(name, ""))]
    if len(rules) < 3:
        return ""
    family, weight = FACES.get(look.get("face", ""), ("Host Grotesk", 600))
    scheme = "dark" if _lightness(look["ground"]) < _lightness(look["ink"]) else "light"
    return f':root{{{";".join(rules)};--face:"{family}",var(--text);--heavy:{weight};color-scheme:{scheme}}}'


def _lightness(colour: str) -> float:
    red, green, blue = bytes.fromhex(colour[1:])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _count(count: str) -> str:
    if not count:
        return ""
    size = min(len(count), 9)
    label = f'<span class="visually-hidden">{escape(_(texts.PLACE))} </span>'
    return f'<p class="count chars-{size}">{label}{escape(count)}</p>'


def _rows(rows: tuple[tuple[str, str], ...]) -> str:
    if not rows:
        return ""
    items = "".join(
        f'<li class="row"><span>{escape(name)}</span><span>{escape(band)}</span></li>' for name, band in rows
    )
    return f'<h2 class="visually-hidden">{escape(_(texts.EDITIONS))}</h2><ul class="rows">{items}</ul>'
