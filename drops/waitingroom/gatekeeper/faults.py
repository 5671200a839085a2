"""Faults that the gatekeeper notices: each is logged once, and those that need a person raise an alert."""

import logging
from collections.abc import Callable, Sequence

from drops import admission, lifecycle, shuffle_keys
from drops.models import Ceiling
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot
from drops.waitingroom.protocol.status import FRESH_SECONDS
from shop.core import alerts

logger = logging.getLogger(__name__)

KEY_SUBJECT = "waitingroom:shuffle key unusable"
REDIS_SUBJECT = "waitingroom:redis unreachable"
REDIS_ALERT_SECONDS = FRESH_SECONDS  # by then gates refuse joins, and pages say "reconnecting"
PAYMENT_RATE_SUBJECT = "waitingroom:payment rate unknown"


class Outages:
    """The servers that are unreachable at present."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.since: dict[str, float] = {}

    def begin(self, server: str, error: Exception) -> None:
        """Record that a server is unreachable. Logged once."""
        if server not in self.since:
            self.since[server] = self.clock()
            logger.warning("%s is unreachable; retrying (%s)", server, str(error).partition("\n")[0])

    def end(self, server: str) -> None:
        """Record that a server is reachable. Logged if it wasn't."""
        if self.since.pop(server, None) is not None:
            logger.warning("%s is reachable again", server)

    def seconds(self, server: str) -> float:
        """Return for how long a server has been unreachable, 0 if it is reachable."""
        return self.clock() - self.since.get(server, self.clock())


class Alerting:
    """The alerts of the leading gatekeeper, written when they change rather than with every tick."""

    def __init__(self) -> None:
        self.messages: dict[str, str] = {}  # as last written, by subject; empty: resolved

    def check_redis(self, every: Sequence[DropSnapshot], *, unreachable_seconds: float) -> None:
        """Alert while Redis stays unreachable and a drop runs."""
        running = any(snapshot.phase in lifecycle.RUNNING_PHASES for snapshot in every)
        message = ""
        if running and unreachable_seconds >= REDIS_ALERT_SECONDS:
            message = (
                f"The waiting room's Redis has been unreachable for {REDIS_ALERT_SECONDS} s while a drop "
                "runs. Nobody can join or enter; places are kept. Check the server and LINE_REDIS_URL."
            )
        self._set(REDIS_SUBJECT, message)

    def check_keys(self, every: Sequence[DropSnapshot]) -> None:
        """Alert while the key of a drop's draw can't be used: the drop wouldn't open."""
        faults = []
        for snapshot in every:
            if snapshot.drop.sealed is None and snapshot.phase in lifecycle.UPCOMING_PHASES:
                try:
                    shuffle_keys.secret_of(snapshot.drop)
                except shuffle_keys.ShuffleKeyUnusable as unusable:
                    faults.append(str(unusable))
        self._set(KEY_SUBJECT, "\n".join(faults))

    def check_payments(self, active: Sequence[Ceiling]) -> None:
        """Alert while shoppers would be admitted, but how many the payments can take is unknown."""
        message = ""
        if any(row.reason == admission.PAYMENTS_UNKNOWN for row in active):
            message = (
                "How many shoppers the payments can take could not be measured, so nobody is admitted."
                " The gatekeeper's log has the reason."
            )
        self._set(PAYMENT_RATE_SUBJECT, message)

    def _set(self, subject: str, message: str) -> None:
        # A new leader doesn't know what the one before it wrote, so its first check always writes.
        if self.messages.get(subject) == message:
            return
        if message:
            alerts.raise_alert(source="waitingroom", subject=subject, message=message)
        else:
            alerts.resolve(subject=subject)
        self.messages[subject] = message


def alert_older_postgres(snapshot: DropSnapshot) -> None:
    """Alert that Redis has what Postgres has lost. Only a person can tell what else was lost."""
    slug = snapshot.drop.slug
    logger.error("Postgres is older than the waiting room's Redis (drop %s)", slug)
    alerts.raise_alert(
        source="waitingroom",
        subject=older_postgres_subject(slug),
        message=(
            f"Postgres is older than the waiting room's Redis for drop {slug}: a backup was restored, or a "
            "failover lost commits. The line goes on above both, but orders may be missing. Pause the drop, "
            "and compare its orders with the payments in Stripe's dashboard."
        ),
        details={"drop": slug},
    )


def resolve_older_postgres(slug: str) -> None:
    """Resolve that alert, if it was raised: the drop is over, and Redis has nothing of it any more."""
    alerts.resolve(subject=older_postgres_subject(slug))


def older_postgres_subject(slug: str) -> str:
    return f"drop:{slug} postgres older than redis"
