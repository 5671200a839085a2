"""Every sentence that the gate shows, in one place.

They are marked here, and translated where they are used.
"""

from typing import NamedTuple

from drops.waitingroom.gate.language import N_


class Refusal(NamedTuple):
    """The texts of a refusal: what happened; why, and what to do. They may hold {names} to fill in."""

    status: int
    title: str
    reason: str


UNKNOWN = N_("The line's status is unknown right now. Your place is kept.")
NOT_CHARGED = N_("Nothing was charged.")

UNAVAILABLE = N_("The line is temporarily unavailable.")
NOT_YOUR_TURN = N_("It isn't your turn yet.")

OTHER_SITE = Refusal(
    403,
    N_("This request was blocked."),
    N_("It came from another site. Use the button on the drop's own page."),
)
NO_TICKET = Refusal(403, N_("You're not in this line."), N_("Join the line first."))
FORGED = Refusal(
    403, N_("This ticket isn't valid."), N_("It wasn't issued for this line. Join the line to get your own.")
)
NOT_OPEN = Refusal(
    409, N_("The line isn't open yet."), N_("It opens at {time}. Joining early makes no difference.")
)
NOT_DRAWN = Refusal(
    409, N_("Places haven't been drawn yet."), N_("They're drawn when the drop opens. You're in the line.")
)
NOT_CALLED = Refusal(409, NOT_YOUR_TURN, N_("Your place is kept."))
NOT_NOW = Refusal(
    409, N_("One moment."), N_("It's your turn, but we can only let in so many people at once.")
)
NONE_LEFT = Refusal(
    409, N_("Sold out."), N_("If a piece becomes available again, it goes to the next person who asks.")
)
PAUSED = Refusal(409, N_("Paused."), N_("Your place is kept."))
CLOSED = Refusal(410, N_("This drop has ended."), N_("Paid orders will be shipped."))
CANCELLED = Refusal(
    410, N_("This drop was cancelled."), N_("Paid orders will be refunded. Nobody else is charged.")
)
NO_COOKIES = Refusal(
    409,
    N_("Your browser doesn't accept cookies from this site."),
    N_(
        "The line keeps your place in a cookie, so you're not in the line yet. Allow cookies for this site and press "
        "the button again, or open this page in another browser."
    ),
)
NO_PLACE_CARRIED = Refusal(
    422,
    N_("That link carries no place in this line."),
    N_("It may be incomplete, or for another drop. Copy the whole link once more."),
)
HAS_PLACE = Refusal(
    409,
    N_("Replace the place that this browser has?"),
    N_("It can't be brought back. Use the link's place only if the link is your own."),
)
CROWDED = Refusal(
    503,
    UNAVAILABLE,
    N_("So many people arrived at once that you're not in the line yet. Press the button again."),
)
NOT_JOINED = Refusal(503, UNAVAILABLE, N_("You're not in the line yet. Press the button again."))
STUCK = Refusal(503, UNAVAILABLE, N_("Your place is kept. Trying again in {retry} s."))
TOO_LONG = Refusal(413, N_("That request is too large."), N_("It didn't come from one of our forms."))
NOTHING_HERE = Refusal(404, N_("We can't find that page."), N_("Check the address, or go to the next drop."))
WRONG_METHOD = Refusal(405, N_("That doesn't work here."), N_("This address only accepts {allowed}."))

SKIP = N_("Skip to content")
SHOP = N_("Shop")
ARCHIVE = N_("Archive")
HOW = N_("How a drop works")
TO_DROP = N_("Go to the drop")
TO_LINE = N_("Back to the line")
TO_HOLD = N_("Go to what you hold")
TO_FRONT = N_("Go to the next drop")
CARRY = N_("Take your place to another browser or phone")
CARRY_HOW = N_(
    "Open this link there, or scan the code. It's the same place in line, with the same holds; it stays here, too."
)
CARRY_WARNING = N_(
    "Keep the link to yourself. Anyone who has it shares your place, and sees what is ordered with it."
)
CARRY_LINK = N_("Link with your place")
BRING = N_("Bring a place from another browser")
USE_PLACE = N_("Use this place")
BOTH_PLACES = N_("The place here is {here}, that of the link {there}.")
REPLACE = N_("Replace it")
CANCEL = N_("Cancel")
JOIN = N_("Join the line")
ENTER = N_("Enter the drop")
DESCRIPTION = N_("The line for {title}: your place, how long it may take, and what is left.")
IN_LINE = N_("The line for {title}")

ANNOUNCED = N_("The line opens at {time}.")
LOBBY = N_("The drop opens at {time}.")
LOBBY_IN = N_("You're in. Places are drawn when the drop opens.")
LOBBY_OUT = N_("Places are drawn at the opening, so joining early makes no difference.")
OPENING = N_("Places are being drawn.")
OPENING_IN = N_("You're in. Places are being drawn.")
OPEN = N_("The drop is open. If you join now, you'll be placed behind everyone already in line.")
NEXT = N_("You're next.")
AHEAD_ABOUT = N_("About {n} places are ahead of yours.")
DRAWN = N_("The draw put you at about place {n} of {all}.")
LATE = N_("You joined after the draw, as number {n}.")
TURN = N_("It's your turn, and it stays your turn while pieces are left.")
PAUSED_NOW = N_("Paused. Your place is kept.")
TURN_LATER = N_("When the drop resumes, it's your turn.")
SOLD_OUT = N_("Sold out")
CLOSED_NOW = N_("This drop has ended. Paid orders will be shipped.")
CANCELLED_NOW = N_("This drop was cancelled. Paid orders will be refunded. Nobody else is charged.")
RECONNECTING = N_("Reconnecting. Your place is kept.")
KEEP = N_("You can close this page. Your place is kept.")
AGAIN = N_("This page reloads in {seconds} s.")

STILL = N_("The line is standing still.")
SOON = N_("It will take less than a minute.")
WAIT_HOURS = N_("It will take about {low}–{high} hours.")
WAIT = N_("It will take about {low}–{high} minutes.")

PIECES_LEFT = N_("Pieces left: {n}.")
CALLED = N_("Called so far: {called}. Entered: {entered}.")

BANDS = {
    "in": N_("Available"),
    "low": N_("Few left"),
    "held": N_("In checkouts, may come back"),
    "gone": SOLD_OUT,
}
PLACE = N_("Your place")
EDITIONS = N_("What is left")

MOMENT = N_("{time} {zone}, {day} {month} {year}")
MONTHS = (
    N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June"),
    N_("July"), N_("August"), N_("September"), N_("October"), N_("November"), N_("December"),
)  # fmt: skip
