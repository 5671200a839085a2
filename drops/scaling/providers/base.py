"""What every kind of target can do. A new one is one file with a subclass of Kind, and its line in KINDS."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

State = dict[str, Any]  # what a kind controls, absolute and as JSON: {"min": 2, "max": 10}


class ProviderError(Exception):
    """A call did not do what it should; the text is a sentence for ops: what happened, and what to do."""


class OutcomeUnclear(ProviderError):
    """Nobody can tell whether it happened: time-out, 5xx, garbage. Read back, ask again later."""


class ApplyRefused(ProviderError):
    """It was refused and will be again until somebody acts: no such thing, no permission, quota, bad credentials."""


class Missing(ApplyRefused):
    """A package is not installed; the text names the extra to install."""


class BadLocator(ValueError):
    """The locator can't be used; `errors` is {field: sentence}."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in errors.items()))
        self.errors = dict(errors)


@dataclass(frozen=True)
class Field:
    """One thing that a kind must be told, for the form in the admin. Never a secret."""

    name: str
    label: str
    help: str = ""
    required: bool = True
    default: str = ""


@dataclass(frozen=True)
class Reading:
    """A target as it stands. `state` holds only what is controlled; `size` is what that state asks for."""

    state: State
    size: int
    serving: int  # instances that do their work now
    moving: bool = False  # a change is under way
    message: str = ""  # more, for ops
    cpu_seconds: float | None = None  # used since they started, where it can be told


@dataclass(frozen=True)
class Applied:
    """An accepted call. It says nothing of whether the state stands."""

    request_id: str = ""
    message: str = ""


@dataclass
class Provider(ABC):
    """One target of this kind. Raises Faulty from every call; nothing is cached between calls."""

    locator: Mapping[str, Any] = field(default_factory=dict)

    name: ClassVar[str]  # shown: "AWS ECS service"
    unit: ClassVar[str]  # what is counted: "tasks"
    fields: ClassVar[tuple[Field, ...]]
    lead_seconds: ClassVar[int]  # the least that is believed, before anything is learned
    tier: ClassVar[int] = 1  # 0: data stores, scaled first and brought back last
    credentials: ClassVar[str] = ""  # where they come from, for ops: "AWS_ACCESS_KEY_ID … in the environment"
    price_key: ClassVar[str] = ""  # of the price table; empty: has no price

    @classmethod
    @abstractmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Look at `locator` without a call. Raises: BadWhere."""

    @classmethod
    @abstractmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Name what it is, the same for any two rows that mean the same thing."""

    @abstractmethod
    def read(self) -> Reading:
        """Read how it stands. Changes nothing."""

    @abstractmethod
    def state_for(self, size: int, *, baseline: State) -> State:
        """Give the state that asks for `size`, rounded up to one that exists, all else as in the baseline."""

    @abstractmethod
    def apply(self, state: State, *, key: str) -> Applied:
        """Ask for an absolute state, or do the next call on the way to it. Safe to repeat; `key` is the same then."""

    def is_ready(self, reading: Reading, state: State) -> bool:
        """Whether the state stands: asked for as such, nothing moving, all of it serving."""
        return self.is_same(reading.state, state) and not reading.moving and reading.serving >= reading.size

    def is_same(self, one: State, other: State) -> bool:
        """Whether two states mean the same."""
        return one == other

    def is_between(self, live: State, *, before: State, after: State) -> bool:
        """Whether `live` is a stage of our own way from one state to another, for kinds that need several calls."""
        return False

    def format_size(self, size: int) -> str:
        """Say a size: "4 tasks"."""
        return f"{size} {self.unit}"
