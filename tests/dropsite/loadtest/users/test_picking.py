from dropsite.loadtest.users import forms, picking
from dropsite.loadtest.users.forms import Form


def make_form(*inputs: str) -> Form:
    hidden = '<input type="hidden" name="csrf" value="t">'
    return forms.parse(f'<form action="/hold/">{hidden}{"".join(inputs)}</form>')[0]


def quantity(edition: int, *, limit: int = 2, value: int = 0, attributes: str = "") -> str:
    return (
        f'<input type="number" name="quantity-{edition}" min="0" max="{limit}" value="{value}" {attributes}>'
    )


def radio(edition: int, attributes: str = "") -> str:
    return f'<input type="radio" name="edition" value="{edition}" {attributes}>'


def test_choose_takes_one_piece_of_one_edition() -> None:
    data = picking.choose(make_form(quantity(1, value=1), quantity(2), quantity(3)), taste=0.5, greed=0.0)

    assert data == {"csrf": "t", "quantity-1": "0", "quantity-2": "1", "quantity-3": "0"}


def test_choose_takes_up_to_the_limit() -> None:
    data = picking.choose(make_form(quantity(1, limit=3)), taste=0.0, greed=0.99)

    assert data == {"csrf": "t", "quantity-1": "3"}


def test_choose_leaves_out_what_is_unavailable() -> None:
    data = picking.choose(make_form(radio(1, "checked disabled"), radio(2)), taste=0.0, greed=0.9)

    assert data == {"csrf": "t", "edition": "2"}


def test_choose_is_empty_when_nothing_is_available() -> None:
    assert picking.choose(make_form(quantity(1, attributes="disabled")), taste=0.0, greed=0.0) == {}


def test_parse_pieces_finds_every_piece_of_an_order() -> None:
    page = """<dt>Order</dt><dd>1</dd>
        <dt>2 × 0 kg &amp; M, No. 3 and No. 1,009 of 2,000</dt> <dt>0 kg S, No. 3 of 40</dt>
        <dt>Shipping</dt>"""

    assert picking.parse_pieces(page) == ["0 kg & M No. 3", "0 kg & M No. 1,009", "0 kg S No. 3"]
