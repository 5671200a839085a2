"""`make lock`: compile pyproject.toml to requirements with hashes, one file for each way to install Dropsite.

dev.txt is everything, both extras included, and decides all versions; the others are constrained by it, so
that any of them can be installed together. No file contains the address of a package registry.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "deploy/requirements"
UV = Path(sys.executable).with_name("uv")
FILES = {  # file name: what it adds to the project's own dependencies; dev.txt comes first
    "dev.txt": ("--group", "dev"),
    "run.txt": (),
    "aws.txt": ("--extra", "aws"),
    "kubernetes.txt": ("--extra", "kubernetes"),
}


def compile_file(name: str, *, output: Path, constraints: Path, options: tuple[str, ...] = ()) -> str:
    """Compile one file to `output`, keeping the versions that it has where they fit.

    Return uv's output if it failed, otherwise an empty string.
    """
    command = [str(UV), "pip", "compile", "pyproject.toml", *FILES[name], *options]
    command += ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
    command += ["--output-file", str(output)]
    if name != "dev.txt":
        command += ["--constraint", str(constraints)]
    process = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"UV_SYSTEM_CERTS": "1", "UV_NO_PROGRESS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if process.returncode == 0:
        return ""
    return process.stdout


def main() -> int:
    """Return the exit code: 1 if a file could not be compiled."""
    for name in FILES:
        options: tuple[str, ...] = ()
        if name == "dev.txt":
            options = tuple(sys.argv[1:])
        constraints = REQUIREMENTS / "dev.txt"
        failure = compile_file(name, output=REQUIREMENTS / name, constraints=constraints, options=options)
        if failure:
            print(f"{name} could not be compiled:\n{failure}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
