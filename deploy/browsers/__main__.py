"""`python -m deploy.browsers`: find what a supported browser lacks in the shop's scripts and style sheets."""

import sys
from pathlib import Path

from deploy.browsers import scripts, styles

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "dropsite/static/shop"


def main() -> int:
    """Print each problem; return 1 if there is one."""
    count = 0
    for pattern, problems in (("*.js", scripts.problems), ("*.css", styles.problems)):
        for file in sorted(SHOP.rglob(pattern)):
            for problem in problems(file.read_text(encoding="utf-8")):
                print(f"{file.relative_to(ROOT)}:{problem}")
                count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
