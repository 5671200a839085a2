"""The gate's few pages: the line without JavaScript, and refusals of forms. Every value is escaped.

string.Template fills them: a few small templates don't justify a template engine in this process.
"""

import json
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
from drops.waitingroom.protocol import status
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

    def line(
        self,
        slug: str,
        drop: CachedDrop,
        panel: Panel,
        *,
        key: str = "",
        joined: bool = False,
        holds: bool = False,
    ) -> Response:
        """Return a shopper's panel as a page of its own.

        `key` is the client key for a join; `joined` and `holds`: the shopper has a ticket, a hold.
        """
        title = drop.theme.get("title") or slug
        main = self._fill(
            "line",
            {"title": title, "lead": panel.lead, "slug": slug, "to_drop": _(texts.TO_DROP)},
            count=_count(panel.count),
            keep=_keep(panel),
            notes="\n".join(f"<p>{escape(note)}</p>" for note in panel.notes),
            editions=_rows(panel.editions),
            action=self._action(slug, panel, key),
            carry=self._carry(slug, drop, joined=joined),
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

    def link(self, slug: str, drop: CachedDrop | None, *, url: str, qr: str) -> Response:
        """Return the page with the link that carries the shopper's ticket. `qr` is an SVG element."""
        words = {
            "title": _(texts.CARRY),
            "how": _(texts.CARRY_HOW),
            "warning": _(texts.CARRY_WARNING),
            "url": url,
            "link": _(texts.CARRY_LINK),
        }
        back = self._fill("back", {"url": f"/line/{slug}/", "text": _(texts.TO_LINE)})
        return self._private(200, _(texts.CARRY), drop, self._fill("carry_link", words, qr=qr, back=back))

    def replace(
        self,
        slug: str,
        drop: CachedDrop | None,
        *,
        fields: Mapping[str, str],
        places: tuple[str, str] | None,
    ) -> Response:
        """Return the question whether a link's ticket may replace the one that the browser has.

        `fields` (ticket, replace, to) are posted with the answer. `places` are the browser's and the link's.
        """
        reason = _(texts.HAS_PLACE.reason)
        if places is not None:
            reason += " " + _(texts.BOTH_PLACES).format(here=places[0], there=places[1])
        words = {
            "title": _(texts.HAS_PLACE.title),
            "reason": reason,
            "slug": slug,
            "button": _(texts.REPLACE),
            "cancel": _(texts.CANCEL),
            **fields,
        }
        return self._private(
            texts.HAS_PLACE.status, _(texts.HAS_PLACE.title), drop, self._fill("replace", words)
        )

    def _private(self, code: int, title: str, drop: CachedDrop | None, main: str) -> Response:
        theme = drop.theme if drop else {}
        html, source = self._page(title, main, theme.get("title") or self.shop, theme)
        return http.page(code, html, style_source=source)

    def _carry(self, slug: str, drop: CachedDrop, *, joined: bool) -> str:
        """Return how a place is taken along from here and to here; nothing once the drop is over."""
        if drop.status is not None and drop.status["phase"] in status.ENDED_PHASES:
            return ""
        out = self._fill("carry_out", {"slug": slug, "text": _(texts.CARRY)}) if joined else ""
        words = {
            "slug": slug,
            "text": _(texts.BRING),
            "label": _(texts.CARRY_LINK),
            "use": _(texts.USE_PLACE),
        }
        return out + self._fill("carry_in", words)

    def _action(self, slug: str, panel: Panel, key: str) -> str:
        if panel.action == "join":
            return self._join(slug, key)
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
