"""`make faults`: rehearse a drop under each fault, on a shop of its own, and print what buyers noticed.

The fault begins once the drop sells. Afterwards the rehearsal's own checks must hold, sales must have
resumed by themselves, and each fault has a criterion or two of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.commands import demo
from deploy.local.faults import criteria, sales
from deploy.local.faults.kinds import FAULTS, Fault
from deploy.local.faults.visitor import Visitor
from deploy.local.runner import environment, processes
from deploy.local.runner.programs import ROOT
from deploy.local.runner.stack import Stack, StackError, remove

FOLDER = ROOT / "var" / f"faults-{os.getpid()}"
UNITS, SHOPPERS, SEED = 160, 240, 3
HELD_FIRST = 10  # holds placed before the fault begins
START_SECONDS = 120  # until the drop sells
REHEARSAL_SECONDS = 600
POLL_SECONDS = 0.2


def run(names: Sequence[str]) -> int:
    """Run the named faults, or all; return the exit code, 130 when interrupted. Raises: StackError."""
    chosen = [fault for fault in FAULTS if not names or fault.key in names]
    if unknown := set(names) - {fault.key for fault in FAULTS}:
        known = ", ".join(fault.key for fault in FAULTS)
        raise StackError(f"Unknown fault: {', '.join(sorted(unknown))}. There are: {known}.")
    missed = 0
    with processes.interruptible():
        for together in _by_clock(chosen):
            with _running_shop(together[0]) as stack:
                for fault in together:
                    missed += _rehearse(fault, stack)
        print(f"\n{len(chosen)} faults, {missed} criteria missed", flush=True)
        return min(missed, 1)
    return 130


def _by_clock(faults: Sequence[Fault]) -> Iterator[list[Fault]]:
    """Yield the faults that can share a shop: those that leave the clocks alone, then each of the others."""
    if shared := [fault for fault in faults if not fault.clock]:
        yield shared
    yield from ([fault] for fault in faults if fault.clock)


@contextmanager
def _running_shop(fault: Fault) -> Iterator[Stack]:
    try:
        with Stack(folder=FOLDER, settings=demo.SIZES, program_settings=fault.clock) as stack:
            yield stack
    finally:
        remove(FOLDER)


class Rehearsal:
    """A rehearsal in a process of its own; its output is read all the while."""

    def __init__(self, stack: Stack, report: Path) -> None:
        arguments = ["--units", str(UNITS), "--shoppers", str(SHOPPERS), "--seed", str(SEED)]
        self._report = report
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "rehearse", *arguments, "--json", str(report)],
            cwd=ROOT,
            env=environment.for_programs(stack.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=processes.die_with_parent,  # noqa: PLW1509 it only calls the kernel
        )
        output = self._process.stdout or ()
        first = next(iter(output), "")
        self._lines: list[str] = [first]
        self._reader = threading.Thread(target=lambda: self._lines.extend(output), daemon=True)
        self._reader.start()
        if "/drops/" not in first:
            raise StackError(f"The rehearsal didn't start: {self.finish()[1]}")
        self.slug = first.split("/drops/")[1].split("/")[0]

    def is_running(self) -> bool:
        return self._process.poll() is None

    def finish(self) -> tuple[bool, str]:
        """Wait, bounded, for its end. Return whether its checks held, and what it said in a line or more."""
        try:
            self._process.wait(REHEARSAL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return False, f"it had not ended after {REHEARSAL_SECONDS} s"
        self._reader.join()
        if not self._report.exists():
            return False, "".join(self._lines[-30:])
        found = json.loads(self._report.read_text())
        failed = [f"{check['name']}: {check['detail']}" for check in found["checks"] if not check["ok"]]
        summary = f"{found['orders']} orders for {UNITS} units in {found['seconds']:.0f} s"
        held = f"{len(found['checks']) - len(failed)} of {len(found['checks'])} checks hold"
        return found["ok"], "; ".join([summary, held, *failed])


def _rehearse(fault: Fault, stack: Stack) -> int:
    """Run one drop with the fault in it and print the findings; return how many criteria were missed."""
    print(f"\n{fault.name}" + (f" for {fault.seconds:.0f} s" if fault.seconds else ""), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        rehearsal = Rehearsal(stack, Path(folder, "report.json"))
        paths = {"status": f"/line/{rehearsal.slug}/status.json", "drop page": f"/drops/{rehearsal.slug}/"}
        with Visitor(origin=stack.environment["SHOP_ORIGIN"], paths=paths) as visitor:
            _wait_until_it_sells(rehearsal, stack)
            begun, begun_at = time.monotonic(), datetime.now(UTC)
            with fault.cause(stack):
                time.sleep(fault.seconds)
            ended, ended_at = time.monotonic(), datetime.now(UTC)
            ok, said = rehearsal.finish()
    sold = sales.read(database_url=stack.environment["DATABASE_URL"], slug=rehearsal.slug)
    findings = [criteria.Criterion("the rehearsal's checks hold", ok, said)]
    if fault.seconds:
        findings += criteria.judge_sales(fault, sold, begun_at, ended_at)
        findings += criteria.judge_answers(fault, visitor, begun, ended)
    for finding in findings:
        verdict = "ok" if finding.ok else "MISSED"
        print(f"  {verdict:<8}{finding.name}: {finding.detail}", flush=True)
    return sum(not finding.ok for finding in findings)


def _wait_until_it_sells(rehearsal: Rehearsal, stack: Stack) -> None:
    """Raises: StackError."""
    deadline = time.monotonic() + START_SECONDS
    url = stack.environment["DATABASE_URL"]
    while len(sales.read(database_url=url, slug=rehearsal.slug).holds) < HELD_FIRST:
        if not rehearsal.is_running() or time.monotonic() > deadline:
            raise StackError(f"Fewer than {HELD_FIRST} holds were placed: {rehearsal.finish()[1]}")
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1:]))
    except StackError as error:
        sys.exit(str(error))
