"""A pool of Celery's processes: the workers of one queue.

Celery's own pool_grow and pool_shrink are relative, and a message that was thought lost may arrive after all: sent
twice, they act twice. So the worker itself is taught to bring its pool to a size, with these two, and tells its size
when asked. Any worker of this shop learns it as it starts.

A pool shrinks by processes that have nothing to do, once all have started; a busy one is let finish and goes the next
time.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from celery import current_app
from celery.signals import celeryd_init
from celery.utils.nodenames import host_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
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

SECONDS = 5.0  # for the worker's answer; it is told as soon as it comes
# For the broker: Celery's own connections try for ever.
PATIENCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "socket_connect_timeout": 1, "socket_timeout": 6}


class Celery(Provider):
    """`locator`: {"worker": "checkout@%h"}. State: {"processes": n}."""

    name: ClassVar[str] = gettext_noop("Celery worker's pool")
    unit: ClassVar[str] = gettext_noop("processes")
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            "worker",
            gettext_noop("worker"),
            gettext_noop("The name that -n gave it, such as checkout@%h; %h is the name of this machine."),
        ),
    )
    lead_seconds: ClassVar[int] = 10  # a worker looks after its pool every 5 s
    tier: ClassVar[int] = 2
    credentials: ClassVar[str] = gettext_noop("BROKER_URL in the environment.")

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Look at the worker's name. Raises: BadWhere."""
        queue, at, host = str(locator.get("worker") or "").strip().partition("@")
        if not (queue and at and host) or " " in queue + host:
            raise BadLocator({"worker": _("Name the worker as -n does: checkout@%h, or checkout@ and its machine.")})

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Name the worker with its machine."""
        return f"celery:{node(locator)}"

    def read(self) -> Reading:
        """Ask the worker for the size of its pool, and which processes there are."""
        told = self._tell(celery_commands.TELL)
        return Reading(
            state={"processes": told["size"]},
            size=told["size"],
            serving=len(told["processes"]),
            moving=len(told["processes"]) != told["size"],
            message=_("%(count)s processes run") % {"count": len(told["processes"])},
            cpu_seconds=procfs.cpu_seconds(master=told["pid"], workers=told["processes"]),
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Ask for one process at least: a worker without any takes no task."""
        return {"processes": max(1, size)}

    def apply(self, state: State, *, key: str) -> Applied:
        """Have the worker bring its pool to that many processes."""
        told = self._tell(celery_commands.RESIZE, size=int(state["processes"]))
        words = _("%(before)s → %(after)s processes") % {"before": told["before"], "after": told["size"]}
        if told["size"] != state["processes"]:
            words = _("%(words)s; the others are busy or starting, and go later") % {"words": words}
        return Applied(message=words)

    def is_between(self, live: State, *, before: State, after: State) -> bool:
        """While processes are busy the pool is on its way down."""
        return bool(before["processes"] > live["processes"] > after["processes"])

    def _tell(self, command: str, **arguments: int) -> dict[str, Any]:
        """Send a command to the worker and give its answer. Raises: Faulty."""
        name = node(self.locator)
        try:
            with current_app.connection_for_write(transport_options=PATIENCE) as broker:
                answers = current_app.control.broadcast(
                    command, arguments=arguments, destination=[name], reply=True, timeout=SECONDS, limit=1,
                    connection=broker,
                )  # fmt: skip
        except (OperationalError, OSError) as error:
            raise OutcomeUnclear(
                _("The broker can't be reached (%(error)s). Look at BROKER_URL.") % {"error": type(error).__name__}
            ) from error
        if not answers:
            raise OutcomeUnclear(
                _("No worker %(name)s answered in %(seconds)d s. Look whether it runs, with this broker.")
                % {"name": name, "seconds": SECONDS}
            )
        return _answer(name, answers[0].get(name) or {})


def node(locator: Mapping[str, Any]) -> str:
    """Give the worker's name as Celery knows it."""
    return str(host_format(str(locator["worker"]).strip()))


def _answer(name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Raises: Refused if the worker can't do it, Unknown if its answer makes no sense."""
    if error := told.get("error"):
        if "KeyError" in str(error):
            error = _("it does not know the command: start it again with this version")
        raise ApplyRefused(_("The worker %(name)s refused: %(error)s.") % {"name": name, "error": error})
    found = told.get("ok")
    if not isinstance(found, dict) or not {"size", "pid", "processes"} <= found.keys():
        raise OutcomeUnclear(_("The worker %(name)s answered something else. Look at its log.") % {"name": name})
    return found


@celeryd_init.connect
def teach_worker(**_: object) -> None:
    """Teach a worker that starts to tell and change the size of its pool."""
    celery_commands.teach()
