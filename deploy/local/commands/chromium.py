"""A Chromium for the tests: the machine's own, or one that is downloaded once to var/browser.

Looked for in this order: $CHROMIUM, the PATH, the npm package @sparticuz/chromium, `playwright install`.
Nothing is written outside the folder, except by the package managers' caches.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from deploy.local.runner.programs import ROOT

FOLDER = ROOT / "var/browser"
NPM_PACKAGE = Path(__file__).with_name("chromium_package")
PROGRAM_NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
PLAYWRIGHT_NAMES = {"chrome-headless-shell", "headless_shell", "chrome"}
ARGUMENTS = [
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
START_TIMEOUT_SECONDS = 60
DOWNLOAD_TIMEOUT_SECONDS = 900


class NoBrowser(Exception):
    """No Chromium was found or could be downloaded; the message says what helps."""


class Browser(NamedTuple):
    """Arguments for Playwright's `launch`, beside `args=ARGUMENTS, chromium_sandbox=False`."""

    executable: str
    environment: dict[str, str]


def find() -> Browser:
    """Return a Chromium that starts. Raises: NoBrowser."""
    configured = os.environ.get("CHROMIUM")
    if configured:
        browser = Browser(configured, dict(os.environ))
        if not _starts(browser):
            raise NoBrowser(f"CHROMIUM={configured} does not start.")
        return browser
    for name in PROGRAM_NAMES:
        path = shutil.which(name)
        if path:
            browser = Browser(path, dict(os.environ))
            if _starts(browser):
                return browser
    return _download()


def _download() -> Browser:
    """Raises: NoBrowser."""
    failures = ["no chromium in the PATH"]
    with _download_lock():
        for source, download in {"npm": _from_npm, "playwright": _from_playwright}.items():
            try:
                browser = download()
            except (OSError, subprocess.SubprocessError) as error:
                failures.append(f"{source}: {error}")
                continue
            if _starts(browser):
                return browser
            failures.append(f"{source}: {browser.executable} does not start")
    raise NoBrowser(
        "The tests need a Chromium. Install one (Debian: apt install chromium), or Node.js with npm, "
        f"or name one: CHROMIUM=/path/to/chromium make test. Tried: {'; '.join(failures)}."
    )


def _starts(browser: Browser) -> bool:
    command = [browser.executable, "--version"]
    try:
        subprocess.run(
            command, env=browser.environment, check=True, capture_output=True, timeout=START_TIMEOUT_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


@contextmanager
def _download_lock() -> Iterator[None]:
    """Let one of several test runs download the browser while the others wait for it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str, folder: Path, **variables: str) -> None:
    """Raises: SubprocessError, OSError."""
    try:
        subprocess.run(
            command,
            cwd=folder,
            env=os.environ | variables,
            check=True,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["no output"]
        raise subprocess.SubprocessError(f"{command[0]} failed: {lines[-1]}") from error


def _from_npm() -> Browser:
    """Return the Chromium of @sparticuz/chromium (x86_64 Linux), which includes libraries that small systems
    lack.

    Raises: SubprocessError, OSError.
    """
    target = FOLDER / "chromium"
    browser = Browser(str(target / "chromium"), os.environ | {"LD_LIBRARY_PATH": str(target / "lib")})
    package_lock = (NPM_PACKAGE / "package-lock.json").read_text()
    unpacked_lock = target / "package-lock.json"
    if unpacked_lock.exists() and unpacked_lock.read_text() == package_lock:
        return browser
    work = FOLDER / "npm"
    for folder in (target, work):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(NPM_PACKAGE, work)
    _run(
        "npm",
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        folder=work,
        npm_config_update_notifier="false",
    )
    _run("node", "unpack.mjs", str(target), folder=work)
    shutil.rmtree(work)
    unpacked_lock.write_text(package_lock)  # last: it marks the folder as complete
    return browser


def _from_playwright() -> Browser:
    """Raises: SubprocessError, OSError."""
    home = FOLDER / "playwright"
    command = (sys.executable, "-m", "playwright", "install", "--only-shell", "chromium")
    _run(*command, folder=ROOT, PLAYWRIGHT_BROWSERS_PATH=str(home))
    for path in sorted(home.glob("chromium*/*/*")):
        if path.name in PLAYWRIGHT_NAMES:
            return Browser(str(path), dict(os.environ))
    raise OSError(f"no browser in {home}")


if __name__ == "__main__":
    print(find().executable)
