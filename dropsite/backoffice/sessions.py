"""How long a colleague stays signed in: two limits, one for idle sessions and one for all."""

import time

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest

SIGNED_IN, SEEN = "signed_in_at", "seen_at"
NOTED_EVERY_SECONDS = 60  # else each page would write the session
RELOADED = "reloaded"  # in the address of a page that loads itself again, which is no activity


def begin(request: HttpRequest) -> None:
    """Start both limits: the visitor has just signed in."""
    request.session[SIGNED_IN] = request.session[SEEN] = time.time()


def enforce(request: HttpRequest) -> None:
    """Sign a colleague out whose session has ended; otherwise note the activity."""
    if not request.user.is_authenticated:
        return
    now, session = time.time(), request.session
    if SIGNED_IN not in session:  # older than these limits
        begin(request)
    ended = ""
    if now - session[SIGNED_IN] > settings.ADMIN_SESSION_HOURS * 3600:
        ended = (
            f"You were signed out because you signed in more than {settings.ADMIN_SESSION_HOURS} hours ago."
        )
    elif now - session[SEEN] > settings.ADMIN_IDLE_MINUTES * 60:
        ended = f"You were signed out after {settings.ADMIN_IDLE_MINUTES} minutes without activity."
    if ended:
        logout(request)
        messages.info(request, ended)
    elif now - session[SEEN] > NOTED_EVERY_SECONDS and RELOADED not in request.GET:
        session[SEEN] = now
