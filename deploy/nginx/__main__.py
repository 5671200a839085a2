"""The edge's configuration: `python -m deploy.nginx [--out FILE | --test | --run]`.

Without an option it is printed. The head of deploy/nginx/nginx.conf.template lists the environment variables.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from deploy.nginx import rendering


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.nginx", description=__doc__)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--out", type=Path, metavar="FILE", help="write it to this file")
    action.add_argument(
        "--test", action="store_true", help="write it into the edge's folder and have nginx check it"
    )
    action.add_argument("--run", action="store_true", help="write it into the edge's folder and run nginx")
    args = parser.parse_args()
    try:
        if args.run:
            rendering.become_nginx()
        elif args.test:
            folder = rendering.prepare()
            command = [rendering.binary(), "-t", "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]
            return subprocess.run(command, check=False).returncode
        elif args.out:
            args.out.write_text(rendering.render())
        else:
            print(rendering.render(), end="")
    except rendering.EdgeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
