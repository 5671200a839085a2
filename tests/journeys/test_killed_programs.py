"""A simulated crowd against a shop whose programs are killed: the drop sells, and the invariants hold."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.runner.programs import ROOT
from deploy.local.runner.stack import RunningStack

TIMEOUT_SECONDS = 400


@pytest.mark.long
def test_rehearse_succeeds_although_programs_are_killed(stack: RunningStack, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    # More units than shoppers want, or the last of them would wait for holds that lapse.
    arguments = ["--units", "60", "--shoppers", "40", "--seed", "4", "--json", str(report)]
    victims = ["gate", "gatekeeper", "capture", "checkout", "line-redis", "web"]
    output = []
    with subprocess.Popen(
        [sys.executable, "manage.py", "rehearse", *arguments],
        cwd=ROOT,
        env=os.environ | stack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:  # a line of progress every five seconds
            output.append(line)
            if " s  " in line and victims:
                stack.kill(victims.pop(0), signal.SIGKILL)
        assert process.wait(TIMEOUT_SECONDS) == 0, "".join(output)

    assert victims == []
    assert json.loads(report.read_text())["ok"]
    stack.wait_until_up()
