"""A process inside the running shop, which calls functions and commands there for the tests.

`python manage.py …` spends 1.5 s on starting Django; this process starts it once. It reads a call in a line
of JSON and answers in one: {"call": "module:function", "arguments": {…}} → {"result": …} or {"error":
"traceback"}.
"""

import importlib
import io
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from types import TracebackType
from typing import Any, Self, TypeVar

from deploy.local.runner.programs import ROOT

Result = TypeVar("Result")


class Inside:
    """The process, as the tests see it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.journeys.inside"],
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.process.communicate(timeout=20)  # closes its input, which ends it

    def call(self, function: Callable[..., Result], **arguments: object) -> Result:
        """Call a function of a module there; arguments and result pass through JSON.

        Fails the test if it raises.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        name = f"{function.__module__}:{function.__name__}"
        self.process.stdin.write(json.dumps({"call": name, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        result: Result = answer["result"]
        return result

    def manage(self, *words: str) -> str:
        """Run a command of manage.py; its output."""
        return self.call(run_command, words=words)


def run_command(words: list[str]) -> str:
    """Called inside."""
    from django.core.management import call_command  # noqa: PLC0415 the settings are the shop's only inside

    output = io.StringIO()
    with redirect_stdout(output):
        call_command(*words)
    return output.getvalue()


def _answer(line: str) -> dict[str, object]:
    call = json.loads(line)
    module, name = call["call"].split(":")
    try:
        return {"result": getattr(importlib.import_module(module), name)(**call["arguments"])}
    except Exception:  # noqa: BLE001 the test gets it
        return {"error": traceback.format_exc()}


def serve() -> None:
    """Answer until the input ends."""
    import django  # noqa: PLC0415 only inside

    django.setup()
    from tests import databases  # noqa: PLC0415 after the setup

    for line in sys.stdin:
        answer = _answer(line)
        databases.disconnect()  # the next call may come after Postgres was killed
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dropsite.settings")
    serve()
