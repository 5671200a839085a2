"""A pool of Celery's processes: the workers of one queue.

Celery's own pool_grow and pool_shrink are relative, and a message that seemed lost may still arrive: sent
twice, they act twice. So each worker of this shop registers two commands of ours as it starts: one resizes
its pool to an absolute size, the other reports that size.

A pool shrinks by idle processes, once all have started. A busy one may finish, and stops at a later call.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from celery import current_app
from celery.signals import celeryd_init
from celery.utils.nodenames import host_format
from kombu.exceptions import OperationalError

from drops.scaling.providers.base import (
    Applied,
    ApplyRefused,
    BadLocator,
    Field,
    OutcomeUnclear,
    Provider,
    Reading,
    State,
)
from drops.scaling.providers.local import celery_commands, procfs

RESPONSE_SECONDS = 5.0  # the longest wait; a response is returned as soon as it comes
# For the connection to the broker: Celery's default is to retry for ever.
BROKER_OPTIONS = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "socket_connect_timeout": 1,
    "socket_timeout": 6,
}


class Celery(Provider):
    """`locator`: {"worker": "checkout@%h"}. State: {"processes": n}."""

    name: ClassVar[str] = "Celery worker's pool"
    unit: ClassVar[str] = "processes"
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            "worker",
            "worker",
            "Its name as given by -n, such as checkout@%h, where %h stands for the name of this machine.",
        ),
    )
    lead_seconds: ClassVar[int] = 10  # a worker maintains its pool every 5 s
    tier: ClassVar[int] = 2
    credentials: ClassVar[str] = "BROKER_URL in the environment."

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Check the worker's name. Raises BadLocator."""
        queue, at, host = str(locator.get("worker") or "").strip().partition("@")
        if not (queue and at and host) or " " in queue + host:
            sentence = (
                "Enter the worker's name as given by -n: checkout@%h, or checkout@ and its machine's name."
            )
            raise BadLocator({"worker": sentence})

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Return the name of the worker, with its machine."""
        return f"celery:{node_name(locator)}"

    def read(self) -> Reading:
        """Read the desired size of the worker's pool, and which processes are up."""
        report = self._send(celery_commands.REPORT)
        size, processes = report["size"], report["processes"]
        return Reading(
            state={"processes": size},
            size=size,
            serving=len(processes),
            moving=len(processes) != size,
            message=f"{len(processes)} of {size} processes are running",
            cpu_seconds=procfs.cpu_seconds(master=report["pid"], workers=processes),
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Return at least one process: a worker without any takes no tasks."""
        return {"processes": max(1, size)}

    def apply(self, state: State, *, key: str) -> Applied:
        """Have the worker resize its pool."""
        report = self._send(celery_commands.RESIZE, size=int(state["processes"]))
        message = f"{report['before']} → {report['size']} processes"
        if report["size"] != state["processes"]:
            message += "; the others are busy or starting, and will stop later"
        return Applied(message=message)

    def is_between(self, live: State, *, before: State, after: State) -> bool:
        """Whether the pool is shrinking, and waits for busy processes."""
        return bool(before["processes"] > live["processes"] > after["processes"])

    def _send(self, command: str, **arguments: int) -> dict[str, Any]:
        """Send a command to the worker and return its report. Raises ProviderError."""
        name = node_name(self.locator)
        try:
            with current_app.connection_for_write(transport_options=BROKER_OPTIONS) as broker:
                responses = current_app.control.broadcast(
                    command,
                    arguments=arguments,
                    destination=[name],
                    reply=True,
                    timeout=RESPONSE_SECONDS,
                    limit=1,
                    connection=broker,
                )
        except (OperationalError, OSError) as error:
            raise OutcomeUnclear(
                f"The broker can't be reached ({type(error).__name__}). Check BROKER_URL."
            ) from error
        if not responses:
            raise OutcomeUnclear(
                f"No worker {name} responded within {RESPONSE_SECONDS:g} seconds. Check that it is running"
                " and uses this broker."
            )
        return _parse(name, responses[0].get(name) or {})


def node_name(locator: Mapping[str, Any]) -> str:
    """Return the worker's name as Celery knows it."""
    return str(host_format(str(locator["worker"]).strip()))


def _parse(name: str, response: Mapping[str, Any]) -> dict[str, Any]:
    """Return the worker's report.

    Raises ApplyRefused if the worker can't do it, OutcomeUnclear if unreadable.
    """
    error = response.get("error")
    if error:
        # Celery's response to a command that the worker hasn't registered.
        if "KeyError" in str(error):
            error = "it doesn't know the command; restart it with this version"
        raise ApplyRefused(f"The worker {name} refused: {error}.")
    report = response.get("ok")
    if not isinstance(report, dict) or not {"size", "pid", "processes"} <= report.keys():
        raise OutcomeUnclear(f"The response of the worker {name} can't be read. Check its log.")
    return report


@celeryd_init.connect
def register_commands(**_: object) -> None:
    """Register our commands in a worker as it starts."""
    celery_commands.register()
