from dropsite.loadtest import forms, picking
from dropsite.loadtest.forms import Form


def form(*inputs: str) -> Form:
    return forms.read(f'<form action="/hold/"><input type="hidden" name="csrf" value="t">{"".join(inputs)}</form>')[0]


def number(edition: int, *, most: int = 2, value: int = 0, more: str = "") -> str:
    return f'<input type="number" name="quantity-{edition}" min="0" max="{most}" value="{value}" {more}>'


def radio(edition: int, more: str = "") -> str:
    return f'<input type="radio" name="edition" value="{edition}" {more}>'


def test_takes_one_piece_of_one_edition():
    chosen = picking.choose(form(number(1, value=1), number(2), number(3)), taste=0.5, greed=0.0)

    assert chosen == {"csrf": "t", "quantity-1": "0", "quantity-2": "1", "quantity-3": "0"}


def test_greed_takes_up_to_the_limit():
    chosen = picking.choose(form(number(1, most=3)), taste=0.0, greed=0.99)

    assert chosen == {"csrf": "t", "quantity-1": "3"}


def test_leaves_out_what_is_gone():
    chosen = picking.choose(form(radio(1, "checked disabled"), radio(2)), taste=0.0, greed=0.9)

    assert chosen == {"csrf": "t", "edition": "2"}


def test_takes_nothing_when_all_is_gone():
    assert picking.choose(form(number(1, more="disabled")), taste=0.0, greed=0.0) == {}


def test_names_every_piece_of_an_order():
    page = """<dt>Order</dt><dd>1</dd>
        <dt>2 × 0 kg &amp; M, No. 3 and No. 1,009 of 2,000</dt> <dt>0 kg S, No. 3 of 40</dt>
        <dt>Shipping</dt>"""

    assert picking.pieces(page) == ["0 kg & M No. 3", "0 kg & M No. 1,009", "0 kg S No. 3"]
