"""Taking a place along to another browser: a link, also as a QR code, that carries the ticket.

The ticket is in the link's fragment, which browsers never send. The drop's page reads it, removes it from the
address and asks; only then is the ticket posted here. So it is in no path, query, referrer or log. A link may
come from a stranger, who would share the place and see what is ordered with it. So none is taken without a
press, and none replaces a ticket that is there unless that was asked. However many browsers have a ticket, it
has one place and one hold.
"""

import segno

from drops.waitingroom.gate import http, texts, ticket_cookies
from drops.waitingroom.gate.cache import CachedDrop
from drops.waitingroom.gate.context import GateContext
from drops.waitingroom.gate.http import Request, Response
from drops.waitingroom.gate.refusals import GateRefused
from drops.waitingroom.protocol import tickets
from drops.waitingroom.protocol.tickets import Ticket

FRAGMENT = "#ticket="
# With one mask fixed, a code takes 1.2 ms of a gate's CPU; to choose the best of eight would take 4.6 ms.
QR_MASK = 3


async def link(gate: GateContext, slug: str, request: Request) -> Response:
    """Respond to `POST /line/<slug>/link`: the link, for the ticket's owner only. Raises: GateRefused."""
    ticket = ticket_cookies.get(gate, slug, request)
    value = tickets.sign_ticket(ticket, slug, gate.config.ticket_keys)
    url = f"{gate.config.origin}/drops/{slug}/{FRAGMENT}{value}"
    if request.wants_json:
        response = http.json_response({"link": url})
    else:
        response = gate.pages.link(slug, await gate.cache.get(slug), url=url, qr=draw_qr(url))
    ticket_cookies.keep(gate, slug, response, ticket)
    return response


async def take(gate: GateContext, slug: str, request: Request) -> Response:
    """Respond to `POST /line/<slug>/take`: set the ticket that a link carries.

    A different ticket that the browser has is replaced only if the form names its index: that was asked.
    Raises: GateRefused, BodyTooLong.
    """
    form = await request.form()
    carried = _read_carried(gate, slug, form.get("ticket", ""))
    own = ticket_cookies.find(gate, slug, request)
    if own is None and not request.wants_json and not ticket_cookies.find_key(gate, slug, request):
        key = ticket_cookies.client_key("")
        return ticket_cookies.test(gate, slug, request, key=key, again=f"/line/{slug}/take")
    is_replaced = own is not None and own != carried
    if own is not None and is_replaced and form.get("replace") != str(own.index):
        return await _ask(gate, slug, request, own=own, carried=carried, to=form.get("to", ""))
    if request.wants_json:
        response = http.json_response({"index": carried.index})
    elif form.get("to") == "drop":
        response = http.redirect(f"/drops/{slug}/")
    else:
        response = http.redirect(f"/line/{slug}/")
    ticket_cookies.keep(gate, slug, response, carried)
    if is_replaced:
        ticket_cookies.delete(gate, slug, response, "pass")  # it belongs to the ticket that is gone
    return response


async def renew(gate: GateContext, slug: str, request: Request) -> Response:
    """Respond to `POST /line/<slug>/renew`: the ticket's cookies for another week. Raises: GateRefused."""
    ticket = ticket_cookies.get(gate, slug, request)
    response = http.json_response({"index": ticket.index})
    ticket_cookies.keep(gate, slug, response, ticket)
    return response


def draw_qr(url: str) -> str:
    """Return a link's QR code as an SVG element, dark on light whatever the page's colours are."""
    code = segno.make(url, micro=False, error="m", mask=QR_MASK, boost_error=False)
    return code.svg_inline(scale=1, border=4, light="#fff", omitsize=True, svgclass="qr", lineclass=None)


def _read_carried(gate: GateContext, slug: str, text: str) -> Ticket:
    """Return the ticket in a link, or in the part of it after the fragment's name. Raises: GateRefused."""
    value = text.rpartition(FRAGMENT)[2].strip()
    try:
        return tickets.read_ticket(value, slug, gate.config.ticket_keys)
    except tickets.InvalidSignature:
        raise GateRefused(texts.NO_PLACE_CARRIED) from None


async def _ask(
    gate: GateContext, slug: str, request: Request, *, own: Ticket, carried: Ticket, to: str
) -> Response:
    """Ask whether the ticket that the browser has may be replaced. Raises: GateRefused, for a script."""
    if request.wants_json:
        raise GateRefused(texts.HAS_PLACE, index=own.index)
    drop = await gate.cache.get(slug)
    value = tickets.sign_ticket(carried, slug, gate.config.ticket_keys)
    fields = {"ticket": value, "replace": str(own.index), "to": to}
    return gate.pages.replace(slug, drop, fields=fields, places=_places(drop, own, carried))


def _places(drop: CachedDrop | None, own: Ticket, carried: Ticket) -> tuple[str, str] | None:
    """Return both places as people count them; None until they are drawn."""
    here = drop.place(own.index) if drop else None
    there = drop.place(carried.index) if drop else None
    if here is None or there is None:
        return None
    return f"{here + 1:,}", f"{there + 1:,}"
