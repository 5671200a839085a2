"""The lanes of `make test` (see tests/lanes.py), side by side, since most of their time is waiting.

What a lane has to say is printed when it ends. The last lines add the lanes up.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from deploy.local.runner import processes
from deploy.local.runner.programs import ROOT

POLL_SECONDS = 0.1
PROGRESS_SECONDS = 20
FINISH_SECONDS = 20  # for pytest to end its fixtures when it is interrupted
NO_TESTS = 5  # pytest's exit code when nothing was selected
COVERAGE_REPORT = ROOT / "var/artefacts/coverage.txt"


class Lane(NamedTuple):
    """How many processes run a lane's tests, how those are spread, and the first of its Redis databases."""

    processes: int
    spread: str
    redis_base: int
    paths: tuple[str, ...] = ()  # where its tests are; empty: anywhere


CORES = os.cpu_count() or 2
LANES = {
    "unit": Lane(processes=min(CORES, 4), spread="load", redis_base=1),
    # By file: the tests of a module often share a server.
    "servers": Lane(processes=2, spread="loadfile", redis_base=5),
    "journeys": Lane(  # a whole shop each
        processes=2,
        spread="loadfile",
        redis_base=8,
        paths=(
            "tests/journeys",
            "tests/hostile/test_edge.py",
            "tests/deploy/stripe_sandbox/test_card_frame.py",
        ),
    ),
}


@dataclass
class Run:
    """A lane's pytest, and the files that it leaves."""

    name: str
    process: subprocess.Popen[bytes]
    folder: Path
    began: float
    seconds: float | None = None

    def output(self) -> str:
        return _output(self.folder, self.name).read_text(errors="replace")

    def counts(self) -> Counter[str]:
        """How many tests passed, failed and so on; nothing if pytest broke off before it knew."""
        summary = _summary(self.folder, self.name)
        return Counter(json.loads(summary.read_text())) if summary.exists() else Counter()

    def progress(self) -> str:
        """How many tests have ended: pytest prints a character for each."""
        ended = sum(len(results) for results in re.findall(r"^[.FEsxX]+", self.output(), re.MULTILINE))
        return f"{self.name} {ended}"


class Outcome(NamedTuple):
    """`code` is 0 if all passed, 1 if not, NO_TESTS if no lane had one.

    `text` is for the end of all output.
    """

    code: int
    text: str


def _output(folder: Path, name: str) -> Path:
    return folder / f"{name}.output"


def _summary(folder: Path, name: str) -> Path:
    return folder / f"{name}.summary"


def _coverage(folder: Path, name: str) -> Path:
    return folder / f"{name}.coverage"


def _start(name: str, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> Run:
    lane = LANES[name]
    options = ["--lane", name, "-n", str(lane.processes), "--dist", lane.spread, "--no-loadscope-reorder"]
    if not arguments:
        options += lane.paths
        options += ["--cov", "--cov-report=", "--cov-fail-under=0"]  # all lanes together are held to a level
    variables = {
        "TEST_LANE": name,
        "TEST_REDIS_BASE": str(lane.redis_base),
        "TEST_SUMMARY": str(_summary(folder, name)),
        "COVERAGE_FILE": str(_coverage(folder, name)),
    }
    with _output(folder, name).open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", *options, *arguments],
            cwd=ROOT,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,  # Ctrl-C reaches only this process, which then tells each lane once
            preexec_fn=processes.die_with_parent,  # noqa: PLW1509 it only calls the kernel
        )
    return Run(name=name, process=process, folder=folder, began=time.monotonic())


def run(
    names: Sequence[str], arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> Outcome:
    """Run lanes to their end. Raises: Interrupted."""
    runs = [_start(name, arguments, folder=folder, environment=environment) for name in names]
    print(f"Lanes: {', '.join(names)}. Each is printed when it ends.", flush=True)
    try:
        _wait(runs)
    except processes.Interrupted:
        unfinished = [run for run in runs if run.seconds is None]
        finish([run.process for run in unfinished])
        for run in unfinished:
            _print_output(run)
        raise
    outcome = _sum_up(runs)
    if not all(_coverage(folder, name).exists() for name in LANES):
        return outcome
    covered, text = _check_coverage(folder)
    return Outcome(code=outcome.code or int(not covered), text=f"{text}\n\n{outcome.text}")


def _wait(runs: Sequence[Run]) -> None:
    told = time.monotonic()
    while waiting := [run for run in runs if run.seconds is None]:
        for run in waiting:
            if run.process.poll() is not None:
                run.seconds = time.monotonic() - run.began
                _print_output(run)
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            print(
                f"after {told - runs[0].began:.0f} s: {', '.join(run.progress() for run in waiting)} tests",
                flush=True,
            )
        time.sleep(POLL_SECONDS)


def finish(started: Sequence[subprocess.Popen[bytes]]) -> None:
    """Let each pytest end its fixtures; kill those that take too long."""
    for process in started:
        process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + FINISH_SECONDS
    for process in started:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _print_output(run: Run) -> None:
    print(f"\n==== {run.name}\n{run.output().rstrip()}", flush=True)


def _check_coverage(folder: Path) -> tuple[bool, str]:
    """Whether the lanes ran as much of the code, with branches, as pyproject.toml asks; and a sentence."""
    tool = [sys.executable, "-m", "coverage"]
    options: dict[str, Any] = {
        "cwd": ROOT,
        "env": os.environ | {"COVERAGE_FILE": str(folder / "coverage")},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }
    subprocess.run(
        [*tool, "combine", *(str(_coverage(folder, name)) for name in LANES)], check=True, **options
    )
    report = subprocess.run([*tool, "report"], check=False, **options)
    COVERAGE_REPORT.parent.mkdir(parents=True, exist_ok=True)
    COVERAGE_REPORT.write_text(report.stdout)
    lines = report.stdout.splitlines()
    total = next((line.split()[-1] for line in lines if line.startswith("TOTAL")), "unknown")
    text = f"Branch coverage: {total}. By file: {COVERAGE_REPORT.relative_to(ROOT)}"
    return report.returncode == 0, text if report.returncode == 0 else f"{text}\n{lines[-1]}"


def describe(counts: Mapping[str, int]) -> str:
    """Counts as pytest words them: `12 passed, 0 failed, 1 skipped`. The first two are always there."""
    errors = counts.get("error", 0)
    shown = {"passed": counts.get("passed", 0), "failed": counts.get("failed", 0)}
    shown |= {name: counts[name] for name in ("skipped", "xfailed", "xpassed") if counts.get(name)}
    if errors:
        shown["error" if errors == 1 else "errors"] = errors
    return ", ".join(f"{number} {name}" for name, number in shown.items())


def _sum_up(runs: Sequence[Run]) -> Outcome:
    """A line for each lane and one for all."""
    total: Counter[str] = Counter()
    lines = ["==== all lanes"]
    for run in runs:
        counts = run.counts()
        total += counts
        broken = run.process.returncode not in {0, 1, NO_TESTS}
        ended = f" and broke off with exit code {run.process.returncode}" if broken else ""
        lines.append(f"{run.name:<10}{describe(counts)} in {run.seconds:.0f} s{ended}")
    seconds = time.monotonic() - min(run.began for run in runs)
    lines.append(f"{describe(total)} in {seconds:.0f} s")
    codes = {run.process.returncode for run in runs}
    if codes == {NO_TESTS}:
        return Outcome(code=NO_TESTS, text="\n".join(lines))
    return Outcome(code=0 if codes <= {0, NO_TESTS} else 1, text="\n".join(lines))
