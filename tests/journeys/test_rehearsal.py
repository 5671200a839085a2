"""A whole crowd against the running shop: the drop sells, the books hold, and killed programs change nothing of it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy.local.programs import ROOT
from deploy.local.stack import RunningStack
from tests.conftest import Manage

SECONDS = 400


def outcome(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def test_rehearse_sells_a_drop_of_its_own(manage: Manage, tmp_path: Path) -> None:
    said = manage(
        "rehearse", "--units", "12", "--shoppers", "40", "--seed", "3", "--json", str(tmp_path / "report.json")
    )

    report = outcome(tmp_path / "report.json")
    assert report["ok"], report["checks"]
    assert 6 <= report["orders"] <= 12
    assert report["funnel"]["joined"] == report["funnel"]["arrived"] == 40
    assert report["ends"]["has an order"] <= report["orders"]
    assert report["cost"]["statements"] > 0
    assert "no index is given twice" in said


def test_rehearse_ends_well_though_programs_are_killed(stack: RunningStack, tmp_path: Path) -> None:
    words = ["rehearse", "--units", "12", "--shoppers", "40", "--seed", "4", "--json", str(tmp_path / "report.json")]
    victims = ["gate", "gatekeeper", "capture", "checkout", "line-redis", "web"]
    said = []
    with subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=os.environ | stack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:  # one every five seconds while the crowd is there
            said.append(line)
            if " s  " in line and victims:
                stack.kill(victims.pop(0), signal.SIGKILL)
        assert process.wait(SECONDS) == 0, "".join(said)

    assert victims == []
    assert outcome(tmp_path / "report.json")["ok"]
    stack.wait_until_up()


def test_rehearse_refuses_a_drop_that_is_not_there(stack: RunningStack) -> None:
    words = ["rehearse", "--drop", "no-such-drop", "--shoppers", "1"]

    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        check=False,
        cwd=ROOT,
        env=os.environ | stack.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "No announced drop has the address /drops/no-such-drop/." in done.stderr
