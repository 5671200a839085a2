"""A whole crowd against a shop whose programs are killed: the drop sells and the books hold all the same."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.runner.programs import ROOT
from deploy.local.runner.stack import RunningStack

SECONDS = 400


@pytest.mark.long
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
    assert json.loads((tmp_path / "report.json").read_text())["ok"]
    stack.wait_until_up()
