"""`make demo`: the whole shop on this machine, with a drop that opens in a minute, until Ctrl-C.

This process owns the terminal: it starts the supervisor, prints what the programs say, and ends everything on
INT, TERM or HUP. Supervisor itself would take a closed terminal for a wish to start anew.
"""

import json
import os
import sys
import time
import urllib.request
from datetime import datetime
from typing import IO

from deploy.local import environment, ports
from deploy.local.processes import interruptible
from deploy.local.programs import PROGRAMS
from deploy.local.stack import Stack, StackError

POLL_SECONDS = 0.1
START_POLL_SECONDS = 0.3  # each look asks three servers
PATIENCE_SECONDS = 45  # of nothing but our own words; then what the programs say may help
USUAL_CROWD = 150
OPEN = ("edge", "web", "gate", "demo")  # what it takes for the shop to be open
# One machine, one person: what the demo gives each group. Production sets these for itself.
SIZES = {
    "EDGE_WORKERS": "1",
    "WEB_WORKERS": "1",
    "WEB_THREADS": "6",
    "DATABASE_POOL_SIZE": "6",  # as many as threads, or they wait for each other
    "HOOKS_THREADS": "2",
    "GATE_WORKERS": "1",
    "CHECKOUT_PROCESSES": "1",
    "CAPTURE_PROCESSES": "1",
    "MAIL_PROCESSES": "1",
    "BACKGROUND_PROCESSES": "1",
    "GUNICORN_LOG_LEVEL": "warning",
    "CELERY_LOG_LEVEL": "WARNING",
    # A drop that opens in a minute leaves pre-scaling half of one: seconds take the place of minutes.
    "SCALING_TICK_SECONDS": "2",
    "SCALING_GO_SECONDS": "3",
}


def say(text: str = "") -> None:
    print(text, flush=True)


class Tail:
    """What the programs have said since the last look, on our own output."""

    def __init__(self, log: IO[bytes]) -> None:
        self.log = log

    def show(self) -> None:
        if text := self.log.read():
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()


def fetch(address: str) -> bytes | None:
    """The body of a page that answers 200, else None. Never through a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=5) as answer:
            return bytes(answer.read()) if answer.status == 200 else None
    except OSError:  # what urllib raises is one
        return None


def welcome(variables: dict[str, str]) -> None:
    """The shop's address comes first."""
    say(f"\nshop     {variables['SHOP_ORIGIN']}")
    say(f"admin    {variables['SHOP_ORIGIN']}/admin/   user admin, password {variables['DEMO_ADMIN_PASSWORD']}")
    say(f"mails    http://127.0.0.1:{variables['PORT_MAIL_PAGE']}")
    say(f"Stripe   {variables['STRIPE_API_BASE']}   (the sandbox that stands in for it)")
    say("end      Ctrl-C\n")


def opening(shop: str) -> str:
    """When the drop opens that `manage.py demo` has just announced, as the shop's own API says it."""
    for drop in json.loads(fetch(f"{shop}api/v1/drops/") or "{}").get("results", []):
        if drop["phase"] in {"announced", "lobby"}:
            opens = datetime.fromisoformat(drop["times"]["opens"]).astimezone()
            return f"{drop['name']} opens at {opens:%H:%M:%S}, its lobby half a minute before."
    return ""


def watch(stack: Stack, tail: Tail) -> None:
    """Greet as soon as the shop is open, then show what is said until the supervisor ends. Raises: StackError."""
    begun, shop = time.monotonic(), f"{stack.environment['SHOP_ORIGIN']}/"
    say("Starting. The first time this takes half a minute.")
    while stack.missing(OPEN) or fetch(shop) is None:
        if time.monotonic() - begun > PATIENCE_SECONDS:
            tail.show()
        time.sleep(START_POLL_SECONDS)
    welcome(stack.environment)
    say(f"Up after {time.monotonic() - begun:.0f} s. {opening(shop)}\n")
    while stack.is_running():
        tail.show()
        time.sleep(POLL_SECONDS)
    raise StackError("The supervisor has ended.")


def crowd_size() -> int:
    """Raises: StackError if DEMO_CROWD is no number."""
    size = os.environ.get("DEMO_CROWD") or str(USUAL_CROWD)
    if not size.isdigit():
        raise StackError(f"DEMO_CROWD={size} is no number of shoppers; 0 is for none.")
    return int(size)


def run(*, crowd: int) -> int:
    """Raises: BadPort, StackError."""
    chosen = ports.usual()
    folder = environment.DEMO_FOLDER
    if environment.is_running(folder):
        shop = environment.read(folder / "env").get("SHOP_ORIGIN", "")
        raise StackError(f"The demo runs already: {shop}. End it first (Ctrl-C where it was started).")
    ports.refuse_busy(ports=chosen, command="make demo")
    programs = [name for name in PROGRAMS if crowd or name != "crowd"]
    sizes = {name: os.environ.get(name) or size for name, size in SIZES.items()}
    expected = os.environ.get("SCALING_EXPECT") or str(crowd or USUAL_CROWD)
    own = {"DEMO_CROWD": str(crowd), "SCALING_EXPECT": expected, "OPS_MAIL": "ops@dropsite.example"}
    stack = Stack(folder=folder, programs=programs, ports_=chosen, settings=sizes | own)
    with interruptible():
        try:
            stack.start()
            with open(stack.log, "rb", buffering=0) as log:
                tail = Tail(log)
                try:
                    watch(stack, tail)
                finally:
                    say("Stopping.")
                    stack.stop()
                    tail.show()
        finally:
            stack.stop()
    return 0
