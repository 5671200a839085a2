"""The price table: an hour of each kind of instance, and a request at the edge. Dated, with its sources."""

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

TABLE_PATH = Path(__file__).with_name("prices.json")
BYTES_PER_GIGABYTE = Decimal(10**9)  # as network traffic is billed


@dataclass(frozen=True)
class Price:
    """One entry: an amount in US dollars, what it buys, and the source."""

    amount: Decimal
    description: str
    source: str


@dataclass(frozen=True)
class PriceTable:
    """All prices, as of one day."""

    as_of: str
    region: str
    hourly: dict[str, Price]
    edge_request: Price
    edge_gigabyte: Price

    @property
    def edge_byte(self) -> Decimal:
        """The price of a single byte."""
        return self.edge_gigabyte.amount / BYTES_PER_GIGABYTE


@cache
def price_table() -> PriceTable:
    """Read the table, once per process."""
    content = json.loads(TABLE_PATH.read_text())
    return PriceTable(
        as_of=content["as_of"],
        region=content["region"],
        hourly={key: _price(entry) for key, entry in content["hourly"].items()},
        edge_request=_price(content["edge"]["request"]),
        edge_gigabyte=_price(content["edge"]["gigabyte"]),
    )


def _price(entry: dict[str, str]) -> Price:
    return Price(Decimal(entry["price"]), entry["of"], entry["source"])
