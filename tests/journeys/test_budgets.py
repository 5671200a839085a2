"""Page weight over the wire, through the edge: HTML, CSS, the shop's scripts and the hero picture."""

import gzip
import re
from typing import Any
from urllib.parse import urljoin

import pytest

from tests.journeys.conftest import read

KB = 1024
PAGES = ["/", "/archive/", "/how/", "/drops/{slug}/", "/drops/{slug}/check/", "/nothing/here/"]


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, shop: str, live_drop: str) -> Any:
    """(address, answer, HTML) of a page."""
    address = shop + request.param.format(slug=live_drop)
    answer = read(address, **{"Accept-Encoding": "gzip", "Cookie": "index-x=1; ticket-x=y"})
    return address, answer, answer.read()


def weigh(address: str) -> int:
    """Bytes of a file with gzip."""
    body = read(address, **{"Accept-Encoding": "gzip"}).read()
    return min(len(body), len(gzip.compress(body)))


def modules(address: str, seen: set[str]) -> set[str]:
    """The module at the address and all that it imports."""
    if address not in seen:
        seen.add(address)
        for name in re.findall(r'(?:from|import) "(\./[^"]+)"', read(address).read().decode()):
            modules(urljoin(address, name), seen)
    return seen


def test_pages_are_light(page: Any) -> None:
    address, answer, body = page
    html = gzip.decompress(body).decode()

    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(body) <= 20 * KB
    [sheet] = re.findall(r'<link rel="stylesheet" href="([^"]+)"', html)
    assert weigh(urljoin(address, sheet)) <= 15 * KB
    scripts: set[str] = set()
    for source in re.findall(r'<script type="module" src="([^"]+)"', html):
        modules(urljoin(address, source), scripts)
    assert sum(map(weigh, scripts)) <= 10 * KB  # with their comments: nothing minifies them


def test_public_pages_are_nobodys(page: Any) -> None:
    _address, answer, body = page
    html = gzip.decompress(body).decode()

    assert answer.headers["Cache-Control"].startswith("public, max-age=0, s-maxage=")
    assert answer.headers["Set-Cookie"] is None
    # Errors are pages or problem details, by what is asked for.
    assert answer.headers["Vary"] in {"Accept-Encoding", "Accept, Accept-Encoding"}
    assert "csrf" not in html
    assert not re.search(r"\sstyle=|<script(?![^>]*\bsrc=)", html)
    assert "unsafe-" not in answer.headers["Content-Security-Policy"]


def test_heroes_are_light(shop: str, live_drop: str) -> None:
    html = read(f"{shop}/drops/{live_drop}/").read().decode()
    sets = re.findall(r'srcset="([^"]+)"', html)
    pictures = {entry.split()[0] for text in sets for entry in text.split(", ")}

    assert {address.rsplit(".", 1)[1] for address in pictures} == {"avif", "webp", "jpg"}
    assert [address for address in pictures if len(read(urljoin(shop, address)).read()) > 150_000] == []


def test_files_carry_their_hash_and_are_kept(shop: str, live_drop: str) -> None:
    html = read(f"{shop}/drops/{live_drop}/").read().decode()
    [line] = re.findall(r'<script type="module" src="([^"]+)"', html)

    for address in modules(urljoin(shop, line), set()):
        assert re.search(r"\.[0-9a-f]{12}\.js$", address)
        assert "immutable" in read(address).headers["Cache-Control"]
