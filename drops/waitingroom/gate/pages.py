"""The gate's few pages: the line without JavaScript, and refusals of forms. Every value is escaped.

string.Template fills them: a few small templates don't justify a template engine in this process.
"""

import json
import secrets
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template

from drops.waitingroom.gate import http, texts
from drops.waitingroom.gate.cache import CachedDrop
from drops.waitingroom.gate.http import Response
from drops.waitingroom.gate.language import gettext as _
from drops.waitingroom.gate.panel import Panel
from drops.waitingroom.gate.refusals import GateRefused
from drops.waitingroom.protocol.config import ROOT, GateConfig
from shop.core import theme_css


class Manifest:
    """Static files' names as collectstatic hashed them; read as soon as a release has written them."""

    def __init__(self, root: Path) -> None:
        self.path = root / "staticfiles.json"
        self.names: dict[str, str] | None = None

    def url(self, name: str) -> str:
        """Return the address of a static file."""
        if self.names is None and self.path.exists():
            self.names = json.loads(self.path.read_text())["paths"]
        return f"/static/{(self.names or {}).get(name, name)}"


class Pages:
    """Renders pages. Templates and static files' names are read once per process."""

    def __init__(self, config: GateConfig) -> None:
        self.shop = config.shop_name
        self.language = config.language
        self.manifest = Manifest(config.static_root)
        folder = ROOT / "templates" / "gate"
        self.templates = {path.stem: Template(path.read_text()) for path in folder.glob("*.html")}

    def line(self, slug: str, drop: CachedDrop, panel: Panel, *, holds: bool = False) -> Response:
        """Return a shopper's panel as a page of its own. `holds`: the shopper holds something."""
        title = drop.theme.get("title") or slug
        main = self._fill(
            "line",
            {"title": title, "lead": panel.lead, "slug": slug, "to_drop": _(texts.TO_DROP)},
            count=_count(panel.count),
            keep=_keep(panel),
            notes="\n".join(f"<p>{escape(note)}</p>" for note in panel.notes),
            editions=_rows(panel.editions),
            action=self._action(slug, panel),
            held=self._held(slug) if holds else "",
        )
        html, source = self._page(_(texts.IN_LINE).format(title=title), main, title, drop.theme)
        return http.page(200, html, style_source=source, refresh=str(panel.refresh or ""))

    def refusal(
        self, refused: GateRefused, *, slug: str, theme: Mapping[str, str], holds: bool = False
    ) -> Response:
        """Return a refusal as a page.

        It returns to the line by itself, unless it offers the join button once more.
        """
        back = f"/line/{slug}/"
        if refused.key:
            action = self._join(slug, refused.key)
        elif slug:
            action = self._fill("back", {"url": back, "text": _(texts.TO_LINE)})
        else:
            action = self._fill("back", {"url": "/", "text": _(texts.TO_FRONT)})
        words = {"title": refused.title, "reason": refused.reason, "money": _(texts.NOT_CHARGED)}
        main = self._fill("refusal", words, action=action, held=self._held(slug) if holds else "")
        html, source = self._page(refused.title, main, theme.get("title") or self.shop, theme)
        refresh = ""
        if refused.retry is not None and slug and not refused.key:
            refresh = f"{refused.retry}; url={back}"
        return http.page(refused.status, html, style_source=source, retry=refused.retry, refresh=refresh)

    def _join(self, slug: str, key: str) -> str:
        return self._fill("join", {"slug": slug, "key": key, "text": _(texts.JOIN)})

    def _held(self, slug: str) -> str:
        """Return the way to what the shopper holds, whatever has become of the drop."""
        return self._fill("held", {"url": f"/drops/{slug}/pick/", "text": _(texts.TO_HOLD)})

    def _action(self, slug: str, panel: Panel) -> str:
        if panel.action == "join":
            return self._join(slug, secrets.token_hex(16))
        if panel.action == "enter":
            return self._fill("enter", {"slug": slug, "text": _(texts.ENTER)})
        return ""

    def _page(self, title: str, main: str, subject: str, theme: Mapping[str, str]) -> tuple[str, str]:
        style = css(theme)
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
        return self._fill("page", words, style=style, main=main), theme_css.csp_source(style)

    def _fill(self, name: str, words: Mapping[str, str], **markup: str) -> str:
        """Fill a template with words, which are escaped, and with markup, which isn't."""
        return self.templates[name].substitute({key: escape(word) for key, word in words.items()} | markup)


def css(theme: Mapping[str, str]) -> str:
    """Return the style element's text; nothing if Redis holds anything but colours, or no theme."""
    typeface = theme_css.TYPEFACES.get(theme.get("face", ""), theme_css.TYPEFACES[theme_css.DEFAULT_TYPEFACE])
    try:
        return theme_css.root_css(
            ground=theme.get("ground", ""),
            ink=theme.get("ink", ""),
            signal=theme.get("signal", ""),
            typeface=typeface,
        )
    except ValueError:
        return ""


def _count(count: str) -> str:
    if not count:
        return ""
    size = min(len(count), 9)
    label = f'<span class="visually-hidden">{escape(_(texts.PLACE))} </span>'
    return f'<p class="count chars-{size}">{label}{escape(count)}</p>'


def _keep(panel: Panel) -> str:
    """Return what a shopper with a place may do meanwhile: close the page, or wait until it reloads."""
    if not panel.count:
        return ""
    text = _(texts.KEEP)
    if panel.refresh:
        text += " " + _(texts.AGAIN).format(seconds=panel.refresh)
    return f'<p class="small">{escape(text)}</p>'


def _rows(rows: tuple[tuple[str, str], ...]) -> str:
    if not rows:
        return ""
    items = "".join(
        f'<li class="row"><span>{escape(name)}</span><span>{escape(band)}</span></li>' for name, band in rows
    )
    return f'<h2 class="visually-hidden">{escape(_(texts.EDITIONS))}</h2><ul class="rows">{items}</ul>'
