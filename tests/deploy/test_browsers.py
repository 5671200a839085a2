"""The lint of what older browsers lack, and the table that it keeps to."""

import re
from typing import Any

import pytest

from deploy.browsers import scripts, styles, update
from deploy.browsers.__main__ import ROOT, main
from deploy.browsers.support import OLDEST

POLL = """\
async function poll() {
  try {
    const response = await fetch(`${lineUrl}status.json`, {
      cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    failures += 1;
  }
}
"""
RANGE = 'return from < to ? unit("minute").formatRange(from, to) : unit("minute").format(to);'


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (POLL, ["AbortSignal.timeout"]),
        (RANGE, ["Intl.NumberFormat.formatRange"]),
        ("AbortSignal?.timeout(9)", ["AbortSignal.timeout"]),
        ('AbortSignal["timeout"](9)', ["AbortSignal.timeout"]),
        ("globalThis.AbortSignal.timeout(9)", ["AbortSignal.timeout"]),
        ("const { timeout } = AbortSignal;", ["AbortSignal.timeout"]),
        ("const later = AbortSignal\n  .timeout;", ["AbortSignal.timeout"]),
        ("[3, 1].toSorted()", ["Array.toSorted"]),
        ("rows.filter(Boolean).toReversed()", ["Array.toReversed"]),
        ("form.requestSubmit()", ["HTMLFormElement.requestSubmit"]),
        ("document.startViewTransition(change)", ["Document.startViewTransition"]),
        ("const { promise } = Promise.withResolvers()", ["Promise.withResolvers"]),
        ("Object.groupBy(rows, key)", ["Object.groupBy"]),
        ("new Intl.DurationFormat(lang)", ["Intl.DurationFormat"]),
        ("new CompressionStream('gzip')", ["CompressionStream"]),
        ("window.requestIdleCallback(draw)", ["requestIdleCallback"]),
        ("requestIdleCallback(draw)", ["requestIdleCallback"]),
        ("navigator.share({ url })", ["Navigator.share"]),
        ("const { share } = navigator;", ["Navigator.share"]),
        ("if (ready) document.startViewTransition(change);", ["Document.startViewTransition"]),
        (
            "if (!document.startViewTransition) document.startViewTransition(change);",
            ["Document.startViewTransition"],
        ),
        (
            "if (document.startViewTransition) change(); else document.startViewTransition(change);",
            ["Document.startViewTransition"],
        ),
        ("form.requestSubmit && document.startViewTransition(f)", ["Document.startViewTransition"]),
        ("class A { static { this.b = 1; } }", ["class static block"]),
        ("text.match(/(?<=a)b/)", ["a lookbehind"]),
        ("text.match(/[a--b]/v)", ["the flag v"]),
    ],
)
def test_finds_what_a_supported_browser_lacks(source: str, names: list[str]) -> None:
    assert [problem.name for problem in scripts.problems(source)] == names


@pytest.mark.parametrize(
    "source",
    [
        "const controller = new AbortController();",
        "setTimeout(() => controller.abort(), 9)",
        "if (document.startViewTransition && !still) document.startViewTransition(change);",
        "if (document.startViewTransition) { if (moves) document.startViewTransition(change); } else change();",
        "if (!document.startViewTransition) change(); else document.startViewTransition(change);",
        "document.startViewTransition ? document.startViewTransition(change) : change()",
        "document.startViewTransition?.(change) ?? change()",
        "const can = Boolean(navigator) && 'share' in navigator && navigator.share({ url });",
        "if (typeof requestIdleCallback === 'function') requestIdleCallback(draw);",
        "if ('share' in navigator) button.hidden = false;",
        "const { least, most, share } = status.poll; use(share, status.share);",
        "// AbortSignal.timeout() is missing",
        "const text = 'AbortSignal.timeout';",
        "element.dataset.when",
        "import { scheduler } from './ours.js'; scheduler.add(1);",
        "rows.at(-1); text.replaceAll('a', 'b'); Object.hasOwn(a, 'b'); seed ??= 1; await import('./a.js');",
        "new Intl.DateTimeFormat(lang, { timeZoneName: 'long' }).formatToParts(moment)",
    ],
)
def test_leaves_what_is_supported_tested_or_our_own(source: str) -> None:
    assert scripts.problems(source) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (".a{text-decoration:underline 1px}", "text-decoration"),
        (".a{background:color-mix(in srgb,red,blue)}", "a newer colour"),
        ("@container (width > 1px){.a{color:red}}", "at-rule container"),
        ("@media (width >= 900px){.a{color:red}}", "a range in @media"),
        (".a{field-sizing:content}", "property field-sizing"),
        (".a:popover-open{color:red}", "selector popover-open"),
        (".a{& b{color:red}}", "nested rules"),
        (".a,::view-transition-old(*){animation:none}", "takes the rest of its list with it"),
        (".a,.b:has(c){color:red}", "takes the rest of its list with it"),
    ],
)
def test_finds_what_a_style_sheet_loses(source: str, words: str) -> None:
    assert words in "".join(styles.problems(source))


@pytest.mark.parametrize(
    "source",
    [
        ".a{text-decoration:underline;text-decoration-thickness:1px}",
        "@media (min-width:900px){.a{color:red}}",
        "/* color-mix(in srgb,red,blue) */ .a,.b:checked{color:rgb(1 2 3)}",
        "::view-transition-old(*),::view-transition-new(*){animation:none}",
        ".b:has(c){color:red}",
    ],
)
def test_leaves_styles_that_every_browser_reads_or_may_ignore(source: str) -> None:
    assert styles.problems(source) == []


def test_names_the_line() -> None:
    assert [str(problem) for problem in scripts.problems(POLL)] == [
        "4: AbortSignal.timeout needs Safari 16, Firefox 100, Chromium 124: test for it first, or do without"
    ]


def test_the_shops_own_files_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert (main(), capsys.readouterr().out) == (0, "")


def test_the_table_says_what_the_lint_goes_by() -> None:
    table = (ROOT / "docs/browsers.md").read_text()
    rows = dict(re.findall(r"^\| (Safari|Firefox|Chrome)[^|]*\| (?:ESR )?([\d.]+) \|", table, re.MULTILINE))

    def version(browser: str) -> str:
        return f"{OLDEST[browser][0]}.{OLDEST[browser][1]}".removesuffix(".0")

    assert rows == {name: version(name.lower()) for name in ("Safari", "Firefox", "Chrome")}
    assert OLDEST["safari"] == OLDEST["safari_ios"]


def feature(**versions: str | bool) -> dict[str, Any]:
    """What MDN says of one feature, like everywhere unless named."""
    support = {browser: {"version_added": "1"} for browser in OLDEST} | {
        browser: {"version_added": version} for browser, version in versions.items()
    }
    return {"__compat": {"support": support, "status": {"standard_track": True, "deprecated": False}}}


@pytest.mark.parametrize(
    ("versions", "is_newer"),
    [
        ({}, False),
        ({"safari": "15.4", "firefox": "115", "chrome": "≤109"}, False),
        ({"safari": "15.5"}, True),
        ({"safari_ios": "16"}, True),
        ({"firefox": "116"}, True),
        ({"chrome": "110"}, True),
        ({"chrome": False}, True),
        ({"firefox": "preview"}, True),
    ],
)
def test_newer_is_what_one_browser_of_the_table_lacks(
    versions: dict[str, str | bool], is_newer: bool
) -> None:
    data = {"api": {"Thing": feature(), "Other": feature() | {"run": feature(**versions)}}}

    lines = list(update.script_features(data | {"javascript": {"builtins": {}}}))

    assert [line.split("\t")[:2] for line in lines] == ([["method", "Other.run"]] if is_newer else [])
