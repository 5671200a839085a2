"""Watches the heartbeat, the database, the Redis servers and the clock from the gatekeeper's process.

If beat, its workers or the broker are down, they can't alert anyone: the alert is raised and sent from here.
"""

import logging
from threading import Event

from django.db import Error, close_old_connections

from drops.scaling.control import heartbeat
from shop.core import alerts, clock_skew, database_watch, emails, redis_servers

log = logging.getLogger(__name__)

CHECK_SECONDS = 30.0


def run(stop: Event, *, every_seconds: float = CHECK_SECONDS) -> None:
    """Check the heartbeat regularly until `stop` is set."""
    database, servers = database_watch.Watch(), redis_servers.Watch()
    while not stop.wait(every_seconds):
        try:
            if database.check():
                check(servers)
        except Exception:
            # A bug in one check must not end all of them: nobody would notice that the thread is gone.
            log.exception("A check of the watchdog failed; the next one follows in %s s", every_seconds)
        finally:
            close_old_connections()


def check(servers: redis_servers.Watch) -> bool:
    """Check once; if ticks have stopped or Redis fails, alert and send it. Whether ticks have stopped."""
    clock_skew.measure_if_due()
    try:
        overdue = heartbeat.alert_if_overdue()
        if servers.check() or overdue:
            alerts.send_due()
            emails.send_due()
    except Error as error:  # the gatekeeper logs it too, and the next check tries again
        log.warning("Can't read the heartbeat of pre-scaling: %s", error)
        return False
    finally:
        close_old_connections()
    return overdue
