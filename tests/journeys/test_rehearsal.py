"""A simulated crowd against the running shop: the drop sells, and the invariants hold."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy.local.runner.programs import ROOT
from deploy.local.runner.stack import RunningStack
from tests.journeys.inside import Inside


def read_report(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def test_a_burst_buys_a_drop_of_its_own_and_no_join_is_refused(inside: Inside, tmp_path: Path) -> None:
    report_file = tmp_path / "report.json"
    output = inside.manage(
        *("rehearse", "--units", "60", "--shoppers", "50", "--arrival", "burst", "--seed", "3"),
        *("--json", str(report_file)),
    )

    report = read_report(report_file)
    assert report["ok"], report["checks"]
    assert report["funnel"]["joined"] == report["funnel"]["arrived"] == 50
    assert 12 <= report["orders"] <= 60
    assert report["ends"]["has an order"] <= report["orders"]
    assert report["cost"]["statements"] > 0
    assert "no join is refused" in [check["name"] for check in report["checks"]]
    assert "no index is given twice" in output


def test_rehearse_refuses_an_unknown_drop(stack: RunningStack) -> None:
    process = subprocess.run(
        [sys.executable, "manage.py", "rehearse", "--drop", "no-such-drop", "--shoppers", "1"],
        check=False,
        cwd=ROOT,
        env=os.environ | stack.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert process.returncode == 1
    assert "No announced drop has the address /drops/no-such-drop/." in process.stderr
