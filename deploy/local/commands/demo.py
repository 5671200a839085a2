"""`make demo`: the whole shop on this machine, with a drop that opens in a minute, until Ctrl-C.

This process owns the terminal: it starts the supervisor, prints what the programs log, and ends everything on
INT, TERM or HUP. Supervisor itself would take HUP, which a closed terminal sends, for a request to restart.
"""

import json
import os
import sys
import time
import urllib.request
from datetime import datetime
from typing import IO

from deploy.local.runner import environment, ports
from deploy.local.runner.processes import interruptible
from deploy.local.runner.programs import PROGRAMS
from deploy.local.runner.stack import Stack, StackError

POLL_SECONDS = 0.1
START_POLL_SECONDS = 0.3  # each of these polls asks three servers
QUIET_START_SECONDS = 45  # afterwards the programs' logs are shown, which may explain the delay
REQUEST_TIMEOUT_SECONDS = 5
DEFAULT_CROWD = 150
NEEDED_PROGRAMS = ("edge", "web", "gate", "demo")  # when these are up, the shop can be visited
# The sizes of the groups on one machine, for one visitor. Production has its own values.
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
    # A drop that opens in a minute leaves pre-scaling half a minute, so seconds take the place of minutes.
    "SCALING_TICK_SECONDS": "2",
    "SCALING_GO_SECONDS": "3",
}


def write(text: str = "") -> None:
    """Print a line at once."""
    print(text, flush=True)


class Tail:
    """Copies the programs' log to our own output."""

    def __init__(self, log: IO[bytes]) -> None:
        self.log = log

    def show(self) -> None:
        """Print what has been logged since the last call."""
        text = self.log.read()
        if text:
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()


def fetch(url: str) -> bytes | None:
    """Return the body of a page that answers 200, otherwise None. Never uses a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=REQUEST_TIMEOUT_SECONDS) as response:
            if response.status == 200:
                return bytes(response.read())
    except OSError:  # includes everything that urllib raises
        pass
    return None


def welcome(variables: dict[str, str]) -> None:
    """Print the addresses, the shop's first."""
    shop = variables["SHOP_ORIGIN"]
    write(f"\nshop     {shop}")
    write(f"admin    {shop}/admin/   user admin, password {variables['DEMO_ADMIN_PASSWORD']}")
    write(f"emails   http://127.0.0.1:{variables['PORT_MAIL_PAGE']}")
    write(f"Stripe   {variables['STRIPE_API_BASE']}   (the sandbox that stands in for it)")
    write("stop     Ctrl-C\n")


def describe_opening(shop: str) -> str:
    """Return when the newly announced drop opens, as a sentence; empty if the shop's API has no such drop."""
    drops = json.loads(fetch(f"{shop}api/v1/drops/") or "{}").get("results", [])
    for drop in drops:
        if drop["phase"] in {"announced", "lobby"}:
            opens = datetime.fromisoformat(drop["times"]["opens"]).astimezone()
            return f"{drop['name']} opens at {opens:%H:%M:%S}; its lobby opens half a minute earlier."
    return ""


def watch(stack: Stack, tail: Tail) -> None:
    """Print the addresses as soon as the shop is up, then the logs until the supervisor ends.

    Raises: StackError.
    """
    started = time.monotonic()
    shop = f"{stack.environment['SHOP_ORIGIN']}/"
    write("Starting. The first start takes about half a minute.")
    while stack.missing(NEEDED_PROGRAMS) or fetch(shop) is None:
        if time.monotonic() - started > QUIET_START_SECONDS:
            tail.show()
        time.sleep(START_POLL_SECONDS)
    welcome(stack.environment)
    write(f"Up after {time.monotonic() - started:.0f} s. {describe_opening(shop)}\n")
    while stack.is_running():
        tail.show()
        time.sleep(POLL_SECONDS)
    raise StackError("The supervisor has stopped.")


def crowd_size() -> int:
    """Return the number of simulated shoppers. Raises: StackError if DEMO_CROWD isn't a number."""
    size = os.environ.get("DEMO_CROWD") or str(DEFAULT_CROWD)
    if not size.isdigit():
        raise StackError(f"DEMO_CROWD={size} is not a number of shoppers; 0 means none.")
    return int(size)


def run(*, crowd: int | None) -> int:
    """Run the demo until it is interrupted; return the exit code. Raises: BadPort, StackError."""
    if crowd is None:
        crowd = crowd_size()
    port_numbers = ports.configured()
    folder = environment.DEMO_FOLDER
    if environment.is_running(folder):
        shop = environment.read(folder / "env").get("SHOP_ORIGIN", "")
        raise StackError(f"The demo is already running: {shop}. Stop it first (Ctrl-C where it was started).")
    ports.refuse_busy(port_numbers=port_numbers, command="make demo")
    stack = Stack(
        folder=folder,
        programs=[name for name in PROGRAMS if crowd or name != "crowd"],
        port_numbers=port_numbers,
        settings=_settings(crowd),
    )
    with interruptible():
        try:
            stack.start()
            with open(stack.log, "rb", buffering=0) as log:
                tail = Tail(log)
                try:
                    watch(stack, tail)
                finally:
                    write("Stopping.")
                    stack.stop()
                    tail.show()
        finally:
            stack.stop()
    return 0


def _settings(crowd: int) -> dict[str, str]:
    sizes = {name: os.environ.get(name) or size for name, size in SIZES.items()}
    expected = os.environ.get("SCALING_EXPECT") or str(crowd or DEFAULT_CROWD)
    return sizes | {"DEMO_CROWD": str(crowd), "SCALING_EXPECT": expected, "OPS_MAIL": "ops@dropsite.example"}
