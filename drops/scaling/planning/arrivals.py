"""The arrival curve: the parts of the crowd by time, counted from the opening of lobby or drop. Pure.

share of the crowd per second
│ ██                        the lobby opens: everyone who was waiting for it joins
│ ██▄            ▄▄██
│ ████▄▄▄▄▄▄▄▄▄▄█████▄▄     the drop opens
└──────────────────────▶
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ArrivalSpan:
    """A part of the crowd that arrives evenly between two moments, in seconds from an opening."""

    opening: str  # "lobby" or "drop"
    begins: float
    ends: float
    share: float


@dataclass(frozen=True)
class ArrivalCurve:
    """Spans whose shares add up to 1, and the evidence for them."""

    spans: tuple[ArrivalSpan, ...]
    evidence: str

    def placed(self, *, lobby_seconds: float) -> tuple[tuple[float, float, float], ...]:
        """Return (begin, end, share) of each span, in seconds from the drop's opening.

        Nobody joins before the lobby opens, so a short lobby squeezes the spans that belong to it.
        """
        found = []
        for span in self.spans:
            begins, ends = span.begins, span.ends
            if span.opening == "lobby":
                begins = min(begins, lobby_seconds) - lobby_seconds
                ends = min(ends, lobby_seconds) - lobby_seconds
                if ends <= begins:
                    # It would lie after the drop's opening: its shoppers arrive in the lobby's last second.
                    begins, ends = -min(lobby_seconds, 1.0), 0.0
            elif span.ends <= 0:
                begins, ends = max(begins, -lobby_seconds), max(ends, -lobby_seconds + 1.0)
            found.append((begins, max(ends, begins + 1.0), span.share))
        return tuple(found)


@dataclass(frozen=True)
class Moment:
    """One second that could be the busiest: who arrives in it and who is present, as shares of the crowd."""

    at: float  # seconds from the drop's opening
    arriving: float
    present: float


def moments(curve: ArrivalCurve, *, lobby_seconds: float) -> Iterator[Moment]:
    """Return the seconds at which the arrivals change; between them, both figures are linear."""
    spans = curve.placed(lobby_seconds=lobby_seconds)
    edges = {0.0}
    for begins, ends, _share in spans:
        edges |= {begins, ends}
    for at in sorted(edges):
        arriving = present = 0.0
        for begins, ends, share in spans:
            if begins <= at < ends:
                arriving += share / (ends - begins)
            present += share * min(1.0, max(0.0, (at - begins) / (ends - begins)))
        yield Moment(at, arriving, present)


# A quarter arrives late, as the crowds of load tests do. The busiest minute brings half of the crowd, since
# people come to a drop within a minute or two. A drop whose edge log is kept replaces this by its own.
DEFAULT_CURVE = ArrivalCurve(
    spans=(
        ArrivalSpan("lobby", 0, 60, 0.50),
        ArrivalSpan("lobby", 60, 300, 0.10),
        ArrivalSpan("drop", -60, 0, 0.15),
        ArrivalSpan("drop", 0, 60, 0.20),
        ArrivalSpan("drop", 60, 300, 0.05),
    ),
    evidence=(
        "an assumption: half of the crowd arrives within a minute of the lobby's opening, "
        "a quarter after the drop's opening"
    ),
)
