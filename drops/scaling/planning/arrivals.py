"""The arrival curve: which part of the crowd comes when, told from the opening of lobby and drop. Pure.

share of the crowd a second
│ ██                        lobby opens: who waited for it joins
│ ██▄            ▄▄██
│ ████▄▄▄▄▄▄▄▄▄▄█████▄▄     the drop opens
└──────────────────────▶
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A part of the crowd that comes evenly from one second to another; seconds count from `of`."""

    of: str  # "lobby" or "drop": which opening
    begins: float
    ends: float
    share: float


@dataclass(frozen=True)
class Curve:
    """Spans whose shares add up to 1, and where they are from."""

    spans: tuple[Span, ...]
    evidence: str

    def placed(self, *, lobby_seconds: float) -> tuple[tuple[float, float, float], ...]:
        """Give (begin, end, share) in seconds from the drop's opening; what would lie after it is moved before it.

        A short lobby squeezes what comes to it: nobody joins before the lobby opens.
        """
        found = []
        for span in self.spans:
            begins, ends = span.begins, span.ends
            if span.of == "lobby":
                begins, ends = (min(at, lobby_seconds) - lobby_seconds for at in (begins, ends))
                if ends <= begins:
                    begins, ends = -min(lobby_seconds, 1.0), 0.0
            elif span.ends <= 0:
                begins, ends = max(begins, -lobby_seconds), max(ends, -lobby_seconds + 1.0)
            found.append((begins, max(ends, begins + 1.0), span.share))
        return tuple(found)


@dataclass(frozen=True)
class Moment:
    """One second that could be the busiest: what comes in it, and who is there by then, as shares of the crowd."""

    at: float  # seconds from the drop's opening
    arriving: float
    present: float


def moments(curve: Curve, *, lobby_seconds: float) -> Iterator[Moment]:
    """Give the seconds at which anything changes: between them both figures move in a straight line."""
    spans = curve.placed(lobby_seconds=lobby_seconds)
    for at in sorted({edge for begins, ends, _ in spans for edge in (begins, ends)} | {0.0}):
        arriving = sum(share / (ends - begins) for begins, ends, share in spans if begins <= at < ends)
        present = sum(share * min(1.0, max(0.0, (at - begins) / (ends - begins))) for begins, ends, share in spans)
        yield Moment(at, arriving, present)


# A quarter comes late, as in the rehearsals' crowds. The busiest minute brings half of the crowd, since people come to
# a drop "within a minute or two"; a drop whose edge log is kept replaces this by what was seen.
DEFAULT = Curve(
    spans=(
        Span("lobby", 0, 60, 0.50),
        Span("lobby", 60, 300, 0.10),
        Span("drop", -60, 0, 0.15),
        Span("drop", 0, 60, 0.20),
        Span("drop", 60, 300, 0.05),
    ),
    evidence="an assumption: half of the crowd within a minute of the lobby's opening, a quarter after the drop's",
)
