"""The shop on this machine.

demo      all of it, with a drop that opens in a minute, until Ctrl-C
reset     delete the demo's state: the next demo starts anew
servers   Postgres and two Redis only, until Ctrl-C; their addresses are left in var/servers/env
test      start all of it, run pytest (arguments after --), leave nothing
"""

import argparse
import sys
import time

from deploy.local import demo, environment, ports, testing
from deploy.local.processes import interruptible
from deploy.local.programs import DATA, ROOT
from deploy.local.stack import Stack, StackError, remove


def servers() -> int:
    """Raises: BadPort, StackError."""
    stack = Stack(folder=ROOT / "var/servers", programs=DATA, ports_=ports.usual())
    with interruptible(), stack:
        print(f"Postgres and two Redis run. Their addresses: . {stack.folder}/env", flush=True)
        while stack.is_running():
            time.sleep(1)
    return 0


def reset() -> int:
    """Raises: StackError."""
    remove(environment.DEMO_FOLDER)
    print("The demo's data is gone. The next `make demo` starts anew.")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["demo", "reset", "servers", "test"])
    parser.add_argument("--crowd", type=int, metavar="N", help="shoppers in the demo's crowd (DEMO_CROWD, 150)")
    parser.add_argument("words", nargs="*", metavar="-- PYTEST", help="arguments for pytest")
    args = parser.parse_args()
    try:
        if args.what == "demo":
            return demo.run(crowd=demo.crowd_size() if args.crowd is None else args.crowd)
        if args.what == "test":
            return testing.run(args.words)
        return {"reset": reset, "servers": servers}[args.what]()
    except (StackError, ports.BadPort) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
