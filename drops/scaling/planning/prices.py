"""The price table: what an hour of each kind costs, and a request at the edge; dated, with its sources."""

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("prices.json")
GIGABYTE = Decimal(10**9)  # as networks are billed


@dataclass(frozen=True)
class Price:
    """One entry: dollars, of what, and who says so."""

    price: Decimal
    of: str
    source: str


@dataclass(frozen=True)
class Table:
    """All prices, as they were on one day."""

    as_of: str
    region: str
    hourly: dict[str, Price]
    edge_request: Price
    edge_gigabyte: Price

    @property
    def edge_byte(self) -> Decimal:
        """Give the price of a single byte."""
        return self.edge_gigabyte.price / GIGABYTE


@cache
def table() -> Table:
    """Read the table, once."""
    found = json.loads(TABLE.read_text())
    return Table(
        as_of=found["as_of"],
        region=found["region"],
        hourly={key: _price(one) for key, one in found["hourly"].items()},
        edge_request=_price(found["edge"]["request"]),
        edge_gigabyte=_price(found["edge"]["gigabyte"]),
    )


def _price(entry: dict[str, str]) -> Price:
    return Price(Decimal(entry["price"]), entry["of"], entry["source"])
