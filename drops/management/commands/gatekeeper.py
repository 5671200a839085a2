"""`manage.py gatekeeper`: moves the lines of all running drops. Several may run; one leads.

Beside it, each watches that pre-scaling's ticks go on: beat can't tell of its own death.
"""

import os
import signal
import socket
from threading import Event, Thread
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from drops.scaling.control import watchdog
from drops.waitingroom.gatekeeper.loop import Gatekeeper, connect


class Command(BaseCommand):
    requires_system_checks = []  # it starts again in the middle of a drop: fast
    help = "Moves the lines of all running drops. Several may run; one leads, the others take over within seconds."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until TERM or INT."""
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Thread(target=watchdog.run, args=[stop], daemon=True).start()
        redis = connect(settings.LINE_REDIS_URL)
        Gatekeeper(redis=redis, holder=f"{socket.gethostname()}:{os.getpid()}").run(stop)
