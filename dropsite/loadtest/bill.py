"""What a rehearsal cost: figures only, read by dropsite.loadtest.cost and shown by dropsite.loadtest.report."""

from dataclasses import dataclass

APART = ("sandbox", "mail-catcher", "crowd", "demo", "release")  # stand-ins and visitors: not the shop's


@dataclass(frozen=True)
class Bill:
    """What was used. CPU in seconds, memory in MiB when the stack had most."""

    cpu: dict[str, float]
    crowd_cpu: float
    memory: dict[str, float]
    peak: float
    statements: int
    frames: int
    commands: dict[str, int]
    often: list[tuple[int, float, str]]  # calls, milliseconds in all, statement

    @property
    def stack_cpu(self) -> float:
        """Without what stands in for others."""
        return sum(seconds for name, seconds in self.cpu.items() if name not in APART)
