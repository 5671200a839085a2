"""A Redis of a test's own, which may be killed and started again."""

import subprocess
from pathlib import Path

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as NotThere
from redis.retry import Retry

from deploy.local.runner import ports
from deploy.local.servers import valkey

CONF = Path(valkey.__file__).with_name("valkey.conf")


class OwnRedis:
    """Started when it is made. `kill` is kill -9; `start` loads what its folder has, which `forget` empties."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = ports.free()["PORT_LINE_REDIS"]
        self.client = Redis(port=self.port, socket_connect_timeout=1, retry=Retry(ConstantBackoff(0), 0))
        self.start()

    def start(self) -> None:
        words = ["--port", str(self.port), "--dir", str(self.folder)]
        self.process = subprocess.Popen([valkey.binary(), str(CONF), *words], stdout=subprocess.DEVNULL)
        Redis(port=self.port, retry=Retry(ConstantBackoff(0.05), 100, supported_errors=(NotThere,))).ping()

    def kill(self, *, forget: bool = False) -> None:
        self.process.kill()
        self.process.wait(10)
        if forget:
            for path in sorted(self.folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
