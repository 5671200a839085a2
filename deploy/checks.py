"""`make check`: style, types, imports, templates, migrations, settings of production, requirements. No server runs.

One line each; what a check that failed had to say comes at the end. Two at a time, as most machines have more cores.
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

# As a deployment looks. Nothing is asked for there: port 9 of this machine has nobody behind it.
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
    # makemigrations would compare with the history in a database, which a change of the models does not need.
    "PYTHONWARNINGS": "ignore:Got an error checking a consistent migration history",
}


class Result(NamedTuple):
    name: str
    ok: bool
    seconds: float
    output: str


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    """A tool of the virtual environment, with the variables of a deployment and none of this shell's."""
    kept = {name: value for name, value in os.environ.items() if name not in {"DEMO", "STRIPE_API_BASE"}}
    program = BIN / words[0]
    command = [str(program) if program.exists() else words[0], *words[1:]]
    environment = kept | PRODUCTION
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def tool(*words: str) -> Callable[[], tuple[bool, str]]:
    """A check that is one command."""

    def check() -> tuple[bool, str]:
        done = _run(*words)
        return done.returncode == 0, done.stdout

    return check


def requirements() -> tuple[bool, str]:
    """Whether compiling pyproject.toml again, with the present files as the preference, gives the present files."""
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        for name in lock.FILES:
            fresh, kept = Path(folder, name), lock.REQUIREMENTS / name
            shutil.copy(kept, fresh)
            if failure := lock.compile_file(name, output=fresh, constraints=Path(folder, "dev.txt")):
                failures.append(failure)
            elif fresh.read_text() != kept.read_text():
                failures.append(f"{kept.relative_to(ROOT)} is not what pyproject.toml asks for: make lock")
    return not failures, "\n".join(failures)


CHECKS: dict[str, Callable[[], tuple[bool, str]]] = {
    "types (mypy)": tool("mypy", "."),
    "style (ruff check)": tool("ruff", "check", "."),
    "format (ruff format)": tool("ruff", "format", "--check", "."),
    "imports (import-linter)": tool("lint-imports", "--no-cache"),
    "templates (djlint)": tool("djlint", "templates", "--lint", "--quiet"),
    "migrations": tool("python", "manage.py", "makemigrations", "--check", "--dry-run"),
    "deployment (check --deploy)": tool("python", "manage.py", "check", "--deploy", "--fail-level", "WARNING"),
    "requirements": requirements,
}


def _checked(name: str) -> Result:
    begun = time.monotonic()
    ok, output = CHECKS[name]()
    result = Result(name, ok, time.monotonic() - begun, output.strip())
    print(f"{'ok' if ok else 'failed':<8}{name}  {result.seconds:.1f} s", flush=True)
    return result


def main() -> int:
    """1 if one fails."""
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(_checked, CHECKS))
    failed = [result for result in results if not result.ok]
    for result in failed:
        print(f"\n---- {result.name}\n{result.output}")
    last = f"{len(failed)} of {len(results)} checks failed: " + ", ".join(result.name for result in failed)
    print(f"\n{last}" if failed else f"\nAll {len(results)} checks hold.")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
