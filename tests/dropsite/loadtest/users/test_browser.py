import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from dropsite.loadtest.users.browser import MAX_EXAMPLES, Response, Site, UnexpectedPage


def make_response(status: int = 200, *, text: str = "", retry_after: str = "") -> Response:
    headers = CIMultiDict({"Retry-After": retry_after})
    return Response(status, CIMultiDictProxy(headers), "http://shop/orders/t/state.json", text)


@pytest.mark.parametrize(("value", "expected"), [("3", 3.0), ("600", 10.0), ("soon", 1.5), ("", 1.5)])
def test_retry_after_is_bounded_and_has_a_default(value: str, expected: float) -> None:
    assert make_response(503, retry_after=value).retry_after(1.5) == expected


def test_json_refuses_a_page() -> None:
    with pytest.raises(UnexpectedPage, match=r"/orders/t/state\.json answered 200 without JSON"):
        make_response(text="<p>").json()


def test_record_counts_routes_without_identifiers() -> None:
    site = Site(origin="http://shop", deadline=0)

    site.record(make_response(), "GET", "/drops/0-kg/")
    site.record(make_response(), "GET", "/drops/nth-place/")
    site.record(make_response(202), "POST", "/holds/abc/pay/")
    site.record(None, "POST", "/line/0-kg/join")

    assert site.responses == {"200": 2, "202": 1, "no answer": 1}
    assert site.routes == {
        "GET /drops/…/ 200": 2,
        "POST /holds/…/pay/ 202": 1,
        "POST /line/…/join no answer": 1,
    }


def test_record_keeps_some_paths_that_answered_500() -> None:
    site = Site(origin="http://shop", deadline=0)

    for number in range(MAX_EXAMPLES + 3):
        site.record(make_response(500), "GET", f"/drops/{number}/")

    assert site.examples == {"500": [f"/drops/{number}/" for number in range(MAX_EXAMPLES)]}
