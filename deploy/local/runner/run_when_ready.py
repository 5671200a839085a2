"""Started by supervisor in place of a program: wait for what the program needs, then become it.

    python -m deploy.local.runner.run_when_ready web

It waits at every start, so the order is right after a restart too. A program that runs only once is started
as a child process, so that its success can be recorded in a file.
"""

import os
import subprocess
import sys
import time

from deploy.local.runner import probes, processes, programs

POLL_SECONDS = 0.1


def main(name: str) -> int:
    """Return the exit code of a program that runs once; otherwise don't return."""
    processes.die_with_parent()
    program = programs.PROGRAMS[name]
    command = programs.command(name)
    started_here = os.environ["STACK_PROGRAMS"].split(",")
    for needed in program.needs:
        while needed in started_here and not probes.is_up(needed):
            time.sleep(POLL_SECONDS)
    if not program.once:
        # The shell expands the $NAMES of the command, as any Procfile runner does.
        os.execv("/bin/sh", ["/bin/sh", "-c", f"exec {command}"])
    process = subprocess.run(["/bin/sh", "-c", command], check=False, preexec_fn=processes.die_with_parent)
    if process.returncode == 0:
        probes.done_file(name, os.environ).touch()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
