"""Watches the pulse from another process than beat's: the gatekeeper runs it beside its own work.

Should beat or its workers be dead, nobody else would send the alert; so it is sent from here.
"""

import logging
from threading import Event

from django.db import DatabaseError, close_old_connections

from drops.scaling.control import heartbeat
from shop.core import alerts, emails

log = logging.getLogger(__name__)

EVERY_SECONDS = 30.0


def watch(stop: Event, *, every_seconds: float = EVERY_SECONDS) -> None:
    """Look at the pulse now and then until `stop` is set."""
    while not stop.wait(every_seconds):
        look()


def look() -> bool:
    """Look once; if the ticks have stopped, alert and send it. Whether they have."""
    try:
        lost = heartbeat.watch()
        if lost:
            alerts.send_due()
            emails.send_due()
    except DatabaseError as error:  # the gatekeeper tells of it too, and both look again
        log.warning("the pulse of pre-scaling can't be read: %s", error)
        return False
    finally:
        close_old_connections()
    return lost
