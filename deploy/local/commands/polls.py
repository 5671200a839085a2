"""Poll a status document as a crowd does, and print how long the answers took.

    python -m deploy.local.commands.polls --connections 20 --seconds 10

The shop must be on this machine; without --origin it is the running demo.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from deploy.local.faults.visitor import Answer, quantile
from deploy.local.runner import environment
from deploy.local.runner.stack import StackError
from dropsite.loadtest.users.addresses import Addresses, is_loopback

MAX_POLLS = 1_000_000
MAX_SECONDS = 120.0
MAX_CONNECTIONS = 500
TIMEOUT_SECONDS = 60.0
SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How often, how long and on how many connections at once to poll. Raises: StackError."""

    polls: int
    seconds: float
    connections: int

    def __post_init__(self) -> None:
        in_bounds = 0 < self.polls <= MAX_POLLS and 0 < self.seconds <= MAX_SECONDS
        if not in_bounds or not 0 < self.connections <= MAX_CONNECTIONS:
            raise StackError(
                f"1 to {MAX_POLLS} polls, up to {MAX_SECONDS:.0f} seconds and 1 to {MAX_CONNECTIONS}"
                " connections are possible."
            )


@dataclass
class Findings:
    """The answers, how often each cache state came, and how long it all took."""

    answers: list[Answer] = field(default_factory=list)
    cache_states: Counter[str] = field(default_factory=Counter)
    elapsed: float = 0.0


def run(*, origin: str | None, drop: str | None, limits: Limits) -> str:
    """Poll, and return the findings as text. Raises: StackError."""
    origin = origin or _demo_origin()
    if not is_loopback(origin):
        raise StackError(f"Only a shop on this machine is polled, and {origin} is elsewhere.")
    try:
        return as_text(asyncio.run(_poll(origin, drop, limits)))
    except (aiohttp.ClientError, TimeoutError) as error:
        raise StackError(f"{origin} doesn't answer: {error or 'time-out'}") from error


def _demo_origin() -> str:
    """Return the running demo's address. Raises: StackError."""
    if not environment.is_running(environment.DEMO_FOLDER):
        raise StackError("The demo isn't running. Start it with `make demo`, or name a shop with --origin.")
    return environment.read(environment.DEMO_FOLDER / "env")["SHOP_ORIGIN"]


async def _poll(origin: str, drop: str | None, limits: Limits) -> Findings:
    findings = Findings()
    started = time.monotonic()
    numbers = iter(range(limits.polls))

    async def poll_on(client: aiohttp.ClientSession, path: str) -> None:
        while time.monotonic() < started + limits.seconds and next(numbers, None) is not None:
            asked = time.monotonic()
            async with client.get(path) as response:
                await response.read()
            findings.answers.append(Answer(asked, time.monotonic() - asked, response.status))
            findings.cache_states[response.headers.get("X-Cache", "none")] += 1

    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    connector = aiohttp.TCPConnector(limit=limits.connections, socket_factory=Addresses().open_socket)
    async with aiohttp.ClientSession(origin, timeout=timeout, connector=connector) as client:
        path = f"/line/{drop or await _first_drop(client)}/status.json"
        await asyncio.gather(*(poll_on(client, path) for _ in range(limits.connections)))
    findings.elapsed = time.monotonic() - started
    return findings


async def _first_drop(client: aiohttp.ClientSession) -> str:
    """Return the slug of the first drop that the shop's API lists. Raises: StackError."""
    async with client.get("/api/v1/drops/") as response:
        found = await response.json()
    if not found.get("results"):
        raise StackError("The shop has no drop; name one with --drop.")
    return str(found["results"][0]["slug"])


def as_text(findings: Findings) -> str:
    """Return the findings in three lines. Answers other than 200 count as endless in the quantiles."""
    polls = len(findings.answers)
    rate = polls / max(findings.elapsed, 0.001)
    figures = ", ".join(
        f"{name} {quantile(findings.answers, share) * 1000:.1f} ms" for name, share in SHARES.items()
    )
    statuses = Counter(answer.status for answer in findings.answers)
    counts = ", ".join(f"{number} × {status}" for status, number in sorted(statuses.items()))
    states = ", ".join(f"{number} × {state}" for state, number in sorted(findings.cache_states.items()))
    return f"{polls} polls in {findings.elapsed:.1f} s, {rate:.0f} a second\n{figures}\n{counts}; cache: {states}"


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local.commands.polls",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--origin", help="the shop; the running demo if omitted")
    parser.add_argument("--drop", metavar="SLUG", help="the drop; the first in the API if omitted")
    parser.add_argument("--polls", type=int, default=100_000, help="how many at most (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long at most (%(default)s)")
    parser.add_argument("--connections", type=int, default=20, help="how many at once (%(default)s)")
    options = parser.parse_args()
    try:
        limits = Limits(polls=options.polls, seconds=options.seconds, connections=options.connections)
        print(run(origin=options.origin, drop=options.drop, limits=limits))
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
