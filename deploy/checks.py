"""`make check`: style, types, imports, templates, older browsers, migrations, settings, requirements.

It starts no server. Each check prints one line; the output of those that failed comes at the end.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from deploy import lock

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
MAX_PARALLEL = 2

# The settings of a deployment. Nothing connects to the servers: no program listens on port 9 of this machine.
PRODUCTION = {
    "SECRET_KEY": "a-key-for-checks-only-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2,
    "SHOP_ORIGIN": "https://shop.example",
    "ALLOWED_HOSTS": "shop.example",
    "DATABASE_URL": "postgresql://shop@127.0.0.1:9/shop?connect_timeout=1",
    "LINE_REDIS_URL": "redis://127.0.0.1:9/0",
    "BROKER_URL": "redis://127.0.0.1:9/0",
    "STRIPE_SECRET_KEY": "sk_test_checks",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_checks",
    "STRIPE_WEBHOOK_SECRET": "whsec_checks",
    "TICKET_KEYS": "k1:" + "01" * 32,
    "PASS_KEYS": "k1:" + "02" * 32,
    "HOLD_KEYS": "k1:" + "03" * 32,
    "SHUFFLE_KEY": "04" * 32,
    "SELLER": "A seller",
    "LOG_LEVEL": "CRITICAL",
    # makemigrations would also read the history in a database. It finds missing migrations without one.
    "PYTHONWARNINGS": "ignore:Got an error checking a consistent migration history",
}
NOT_INHERITED = {"DEMO", "STRIPE_API_BASE"}


class Result(NamedTuple):
    """The outcome of one check."""

    name: str
    ok: bool
    seconds: float
    output: str


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tool, of the virtual environment if it has it, with the settings of a deployment."""
    name, *options = arguments
    if (BIN / name).exists():
        name = str(BIN / name)
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return subprocess.run(
        [name, *options],
        cwd=ROOT,
        env={**inherited, **PRODUCTION},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def tool(*arguments: str) -> Callable[[], tuple[bool, str]]:
    """Return a check that runs one command."""

    def check() -> tuple[bool, str]:
        process = _run(*arguments)
        return process.returncode == 0, process.stdout

    return check


def check_requirements() -> tuple[bool, str]:
    """Compile pyproject.toml again, preferring the locked versions; it must give the same files."""
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for name in lock.FILES:
            locked = lock.REQUIREMENTS / name
            compiled = Path(folder, name)
            shutil.copy(locked, compiled)  # uv prefers the versions of an existing output file
            problem = lock.compile_file(name, output=compiled, constraints=Path(folder, "dev.txt"))
            if problem:
                problems.append(problem)
            elif compiled.read_text() != locked.read_text():
                problems.append(f"{locked.relative_to(ROOT)} does not match pyproject.toml: run make lock")
    return not problems, "\n".join(problems)


CHECKS: dict[str, Callable[[], tuple[bool, str]]] = {
    "types (mypy)": tool("mypy", "."),
    "style (ruff check)": tool("ruff", "check", "."),
    "format (ruff format)": tool("ruff", "format", "--check", "."),
    "imports (import-linter)": tool("lint-imports", "--no-cache"),
    "templates (djlint)": tool("djlint", "templates", "--lint", "--quiet"),
    "browsers (deploy.browsers)": tool("python", "-m", "deploy.browsers"),
    "texts (make messages)": tool("python", "-m", "deploy.messages", "--check"),
    "migrations": tool("python", "manage.py", "makemigrations", "--check", "--dry-run"),
    "deployment (check --deploy)": tool(
        "python", "manage.py", "check", "--deploy", "--fail-level", "WARNING"
    ),
    "requirements": check_requirements,
}


def _run_check(name: str) -> Result:
    started = time.monotonic()
    ok, output = CHECKS[name]()
    result = Result(name, ok, time.monotonic() - started, output.strip())
    status = "ok" if ok else "failed"
    print(f"{status:<8}{name}  {result.seconds:.1f} s", flush=True)
    return result


def main() -> int:
    """Return the exit code: 1 if a check fails."""
    with ThreadPoolExecutor(MAX_PARALLEL) as pool:
        results = list(pool.map(_run_check, CHECKS))
    failed = [result for result in results if not result.ok]
    for result in failed:
        print(f"\n---- {result.name}\n{result.output}")
    if failed:
        names = ", ".join(result.name for result in failed)
        print(f"\n{len(failed)} of {len(results)} checks failed: {names}")
        return 1
    print(f"\nAll {len(results)} checks passed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
