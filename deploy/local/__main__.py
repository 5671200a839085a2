"""The shop on this machine.

demo      all of it, with a drop that opens in a minute, until Ctrl-C
reset     delete the demo's data: the next demo starts from scratch
servers   only Postgres and the two Redis servers, until Ctrl-C; var/servers/env has their addresses
test      run pytest (arguments after --) on servers of its own, then remove them; see --lane
ops       run the tests marked `ops` on Debian's own nginx and Postgres; needs root
"""

import argparse
import sys
import time

from deploy.local.commands import demo, lanes, ops, testing
from deploy.local.runner import environment, ports
from deploy.local.runner.processes import interruptible
from deploy.local.runner.programs import DATA_SERVERS, ROOT
from deploy.local.runner.stack import Stack, StackError, remove

POLL_SECONDS = 1


def run_servers() -> int:
    """Raises: BadPort, StackError."""
    stack = Stack(folder=ROOT / "var/servers", programs=DATA_SERVERS, port_numbers=ports.configured())
    with interruptible(), stack:
        print(f"Postgres and two Redis servers are running. To use them: . {stack.folder}/env", flush=True)
        while stack.is_running():
            time.sleep(POLL_SECONDS)
    return 0


def reset() -> int:
    """Raises: StackError."""
    remove(environment.DEMO_FOLDER)
    print("The demo's data has been deleted. The next `make demo` starts from scratch.")
    return 0


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=["demo", "reset", "servers", "test", "ops"])
    parser.add_argument(
        "--crowd", type=int, metavar="N", help="simulated shoppers in the demo (DEMO_CROWD, 150)"
    )
    parser.add_argument(
        "--lane",
        action="append",
        choices=lanes.LANES,
        default=[],
        help="run these tests; several lanes run side by side",
    )
    parser.add_argument("pytest_arguments", nargs="*", metavar="-- PYTEST", help="arguments for pytest")
    options = parser.parse_intermixed_args()  # as `test --lane unit -- -k line`
    try:
        if options.command == "demo":
            return demo.run(crowd=options.crowd)
        if options.command == "test":
            return testing.run(options.pytest_arguments, chosen=options.lane)
        if options.command == "ops":
            return ops.run(options.pytest_arguments)
        if options.command == "servers":
            return run_servers()
        return reset()
    except (StackError, ports.BadPort, ops.OpsError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
