"""The figures of a rehearsal's cost."""

from dataclasses import dataclass

# Visitors, stand-ins for others' services, and programs that run once: no part of what the shop costs.
NOT_THE_SHOP = ("sandbox", "mail-catcher", "crowd", "demo", "release")


@dataclass(frozen=True)
class FrequentStatement:
    """An SQL statement with its calls and their total time."""

    calls: int
    milliseconds: float
    sql: str


@dataclass(frozen=True)
class Cost:
    """The resources that a rehearsal used.

    `memory_mib` is by program, at the moment when the shop's total was largest.
    """

    cpu_seconds: dict[str, float]  # by program
    crowd_cpu_seconds: float
    memory_mib: dict[str, float]
    peak_mib: float
    statements: int
    transaction_statements: int  # those that begin and end transactions or set up connections
    redis_commands: dict[str, int]  # by server
    frequent: list[FrequentStatement]  # the most frequent first

    @property
    def shop_cpu_seconds(self) -> float:
        return sum(seconds for name, seconds in self.cpu_seconds.items() if name not in NOT_THE_SHOP)
