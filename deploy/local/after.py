"""Started by supervisor in place of a program: wait for what it needs, then become it.

    python -m deploy.local.after web

Waiting is done at every start, so the order is right after a restart too. Programs that run once are
run as a child, so that a file can be left when they end well.
"""

import os
import subprocess
import sys
import time

from deploy.local import probes, processes, programs

POLL_SECONDS = 0.1


def main(name: str) -> int:
    """Does not return for a program that goes on."""
    processes.die_with_parent()
    here = os.environ["STACK_PROGRAMS"].split(",")
    program, line = programs.PROGRAMS[name], programs.command(name)
    for need in program.needs:
        while need in here and not probes.is_up(need):
            time.sleep(POLL_SECONDS)
    if not program.once:
        os.execv("/bin/sh", ["/bin/sh", "-c", f"exec {line}"])  # sh reads the $NAMES as any Procfile runner does
    command = ["/bin/sh", "-c", line]
    code = subprocess.run(command, check=False, preexec_fn=processes.die_with_parent).returncode
    if code == 0:
        probes.finished(name, os.environ).touch()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
