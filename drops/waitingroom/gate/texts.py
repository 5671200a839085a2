"""Every sentence that the gate says to a person, in one place."""

from typing import NamedTuple


class Refusal(NamedTuple):
    """What a refused request is told: the title, why and what next. The texts may hold {names} to be filled."""

    status: int
    what: str
    why: str


UNKNOWN = "The line is unknown here at this moment. Places are kept."
NOTHING_CHARGED = "Nothing was charged."

OTHER_SITE = Refusal(403, "That isn't yours.", "Another site sent it. Press the button on the drop's own page.")
NO_TICKET = Refusal(403, "You are not in this line.", "Join it first. A place at the end is still a place.")
FORGED = Refusal(403, "That isn't yours.", "This ticket is not one of this line's. Join the line for one of your own.")
NOT_OPEN = Refusal(409, "Not yet.", "The line opens at {time}. Being early changes nothing.")
NOT_DRAWN = Refusal(409, "Not yet.", "The order is drawn when the drop opens. You are in it.")
NOT_CALLED = Refusal(409, "Not yet.", "Your place is kept, and it is not your turn.")
NOT_NOW = Refusal(409, "In a moment.", "It is your turn. As many people as can be served are choosing at this moment.")
NONE_LEFT = Refusal(409, "Gone.", "Nothing is left. If something comes back, it is for whoever asks next.")
PAUSED = Refusal(409, "Paused.", "Places are kept.")
CLOSED = Refusal(410, "Closed.", "This drop is over. Orders that were placed stay as they are.")
CROWDED = Refusal(
    503, "The door is stuck.", "So many people came at once. You are not in the line yet. Press the button again."
)
NOT_JOINED = Refusal(503, "The door is stuck.", "You are not in the line yet. Press the button again.")
STUCK = Refusal(503, "The door is stuck.", "Your place is kept. Trying again in {retry} s.")
TOO_LONG = Refusal(413, "Too long.", "That is not a form of ours.")
NOTHING_HERE = Refusal(404, "There is nothing here.", "There may never have been.")
WRONG_METHOD = Refusal(405, "That doesn't work here.", "This address takes {allowed}.")

TO_DROP = "To the drop"
TO_LINE = "Back to the line"
TO_FRONT = "To the next drop"
JOIN = "Join the line"
ENTER = "Enter the drop"
DESCRIPTION = "The line for {title}: your place, how long it may take, and what is left."
IN_LINE = "{title}: the line"

ANNOUNCED = "The line opens at {time}."
LOBBY = "The drop opens at {time}."
LOBBY_IN = "You are in. Order is drawn at opening, so being early changes nothing."
LOBBY_OUT = "The order is drawn at opening, so being early changes nothing."
OPENING = "The order is being drawn."
OPENING_IN = "You are in. The order is being drawn."
OPEN = "Open. Who joins now stands behind everybody who is in the line."
NEXT = "You are next."
AHEAD_ONE = "One person in front of you."
AHEAD = "{count} people in front of you."
AHEAD_ABOUT = "About {count} people in front of you."
DRAWN = "The draw put you at about {number} of {all}."
LATE = "You came after the draw, as number {number}."
LEAVE = "{left} are left. You may leave without missing anything."
TURN = "Your turn. It stays your turn while anything is left."
PAUSED_NOW = "Paused. Places are kept."
GONE = "Gone."
CLOSED_NOW = "This drop is over. What was bought is on its way."
CANCELLED = "This drop was called off. Nobody was charged."
RECONNECTING = "Reconnecting. Your place is kept."
KEEP = "Keep this page or close it. Your place is kept.{again}"
AGAIN = " This page looks again in {seconds} s."

STILL = "Nobody is being let in at the moment."
SOON = "Less than a minute, at the pace of the last half minute."
WAIT_HOURS = "About {low}–{high} hours, at the pace of the last half minute."
WAIT = "About {low}–{high} minutes, at the pace of the last half minute."

BANDS = {"in": "in", "low": "low", "held": "held, may return", "gone": "gone"}
PLACE = "Your place"
EDITIONS = "What is left"
