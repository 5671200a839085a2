"""Watches the heartbeat, and this machine's clock, from the gatekeeper's process.

If beat or its workers are down, they can't alert anyone, so the alert is raised and sent from here.
"""

import logging
from threading import Event

from django.db import DatabaseError, close_old_connections

from drops.scaling.control import heartbeat
from shop.core import alerts, clock_skew, emails

log = logging.getLogger(__name__)

CHECK_SECONDS = 30.0


def run(stop: Event, *, every_seconds: float = CHECK_SECONDS) -> None:
    """Check the heartbeat regularly until `stop` is set."""
    while not stop.wait(every_seconds):
        check()


def check() -> bool:
    """Check once; if ticks have stopped, raise the alert and send it. Whether they have."""
    clock_skew.measure_if_due()
    try:
        overdue = heartbeat.alert_if_overdue()
        if overdue:
            alerts.send_due()
            emails.send_due()
    except DatabaseError as error:  # the gatekeeper logs it too, and the next check tries again
        log.warning("Can't read the heartbeat of pre-scaling: %s", error)
        return False
    finally:
        close_old_connections()
    return overdue
