"""`manage.py gatekeeper`: moves the waiting rooms of all running drops. Several may run; one of them leads.

Each also watches in a thread that pre-scaling keeps ticking, since beat can't report its own failure.
"""

import os
import signal
import socket
from contextlib import AbstractContextManager, nullcontext
from threading import Event, Thread
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from drops import shuffle_keys
from drops.scaling.control import watchdog
from drops.waitingroom.gatekeeper.loop import Gatekeeper, connect
from drops.waitingroom.gatekeeper.readiness import ReadinessServer


class Command(BaseCommand):
    requires_system_checks = []  # they would slow down a restart in the middle of a drop
    help = "Moves the waiting rooms of all running drops. Several may run: one leads, the others stand by."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until TERM or INT. Refuse to start without the keys that announced drops need."""
        if unusable := shuffle_keys.find_unusable():
            raise CommandError("The gatekeeper can't start. " + " ".join(map(str, unusable)))
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Thread(target=watchdog.run, args=[stop], daemon=True).start()
        redis = connect(settings.LINE_REDIS_URL)
        gatekeeper = Gatekeeper(redis=redis, holder=f"{socket.gethostname()}:{os.getpid()}")
        with self.readiness(gatekeeper):
            gatekeeper.run(stop)

    def readiness(self, gatekeeper: Gatekeeper) -> AbstractContextManager[object]:
        """Return the block in which the gatekeeper's readiness can be asked for, if a port is set.

        Raises: CommandError.
        """
        if not settings.PORT_GATEKEEPER:
            return nullcontext()
        try:
            return ReadinessServer(gatekeeper, host=settings.BIND, port=settings.PORT_GATEKEEPER)
        except OSError as error:
            raise CommandError(f"PORT_GATEKEEPER={settings.PORT_GATEKEEPER}: {error.strerror}.") from error
