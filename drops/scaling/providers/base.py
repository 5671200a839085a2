"""The interface of every provider.

A new one is a file with a subclass of Provider, and its line in PROVIDERS.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

State = dict[str, Any]  # what a provider controls, absolute and as JSON: {"min": 2, "max": 10}


class ProviderError(Exception):
    """A call failed. The text is a sentence for ops: what happened, and what to do."""


class OutcomeUnclear(ProviderError):
    """It is unknown whether the call took effect: time-out, 5xx, unreadable response.

    Read again, then repeat it.
    """


class ApplyRefused(ProviderError):
    """Refused until somebody acts: no such resource, no permission, a quota, or bad credentials."""


class ExtraNotInstalled(ApplyRefused):
    """A package is not installed. The text names the extra to install."""


class BadLocator(ValueError):
    """The locator can't be used; `errors` is {field: sentence}."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in errors.items()))
        self.errors = dict(errors)


@dataclass(frozen=True)
class Field:
    """One part of the locator, for the form in the admin. Never a secret."""

    name: str
    label: str
    help: str = ""
    required: bool = True
    default: str = ""


@dataclass(frozen=True)
class Reading:
    """A target as observed.

    `state` holds only what the provider controls; `size` is the size that this state means.
    """

    state: State
    size: int
    serving: int  # instances that are ready
    moving: bool = False  # a change is in progress
    message: str = ""  # more, for ops
    cpu_seconds: float | None = None  # used since the processes started, where that is known


@dataclass(frozen=True)
class Applied:
    """An accepted call. Whether the target has reached the state is only known by reading it."""

    request_id: str = ""
    message: str = ""


@dataclass
class Provider(ABC):
    """One target. Every call raises ProviderError when it fails; nothing is cached between calls."""

    locator: Mapping[str, Any] = field(default_factory=dict)

    name: ClassVar[str]  # shown to ops: "AWS ECS service"
    unit: ClassVar[str]  # what a size counts: "tasks"
    fields: ClassVar[tuple[Field, ...]]
    lead_seconds: ClassVar[int]  # the shortest lead time that is planned with, before any has been measured
    tier: ClassVar[int] = 1  # 0: data stores, scaled up first and down last
    credentials: ClassVar[str] = ""  # where they come from, for ops: "AWS_ACCESS_KEY_ID … in the environment"
    price_key: ClassVar[str] = ""  # in the price table; empty if it has no price

    @classmethod
    @abstractmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Check a locator without making a call. Raises BadLocator."""

    @classmethod
    @abstractmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Return a unique name of the resource: the same for any two locators that mean the same one."""

    @abstractmethod
    def read(self) -> Reading:
        """Return the target as it is now. Changes nothing."""

    @abstractmethod
    def state_for(self, size: int, *, baseline: State) -> State:
        """Return the state for `size`, rounded up to one that exists; everything else as in the baseline."""

    @abstractmethod
    def apply(self, state: State, *, key: str) -> Applied:
        """Set an absolute state, or make the next call on the way to it.

        Safe to repeat, with the same `key`.
        """

    def is_ready(self, reading: Reading, state: State) -> bool:
        """Whether the target has reached the state: set to it, nothing in progress, all instances ready."""
        return self.is_same(reading.state, state) and not reading.moving and reading.serving >= reading.size

    def is_same(self, one: State, other: State) -> bool:
        """Whether two states mean the same."""
        return one == other

    def is_between(self, live: State, *, before: State, after: State) -> bool:
        """Whether `live` is a stage of our own change from one state to another that takes several calls."""
        return False

    def format_size(self, size: int) -> str:
        """Return a size with its unit: "4 tasks"."""
        return f"{size} {self.unit}"


def one_line(text: object, max_characters: int) -> str:
    """Return a foreign text as it may be shown to ops: on one printable line, cut to `max_characters`."""
    line = " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())
    return line if len(line) <= max_characters else f"{line[: max_characters - 1]}…"
