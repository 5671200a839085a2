"""The class of an Aurora cluster's instances, changed one at a time and never under the writer.

  a small reader ── resize ─▶ wait ─▶ warm ── fail over to it ─▶ the old writer is a reader now ── resize ─▶ …

Resizing the writer itself would move its role to a small reader and never bring it back. On the way down the writer of
the baseline is made small first, gets its role back, and then the others shrink. Each call to `ask` does the next step
that the cluster as it stands allows, and none while anything moves.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drops.scaling.providers.aws import aurora_warmup
from drops.scaling.providers.aws.aurora_serverless import STEADY
from drops.scaling.providers.aws.client import REGION, Aws, request_id, text, understood
from drops.scaling.providers.base import Applied, ApplyRefused, BadLocator, Field, OutcomeUnclear, Reading, State

CLASS = re.compile(r"db\.[a-z0-9-]+\.(?P<size>[a-z0-9-]+)")
SMALL = {"micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4}
BY_AWS = "application-autoscaling-"  # readers that Aurora's own auto scaling adds and takes away


@dataclass(frozen=True)
class Node:
    """One instance of the cluster."""

    name: str
    klass: str
    status: str
    writer: bool
    tier: int  # of promotion; the least is first
    pending: tuple[str, ...]  # names of what waits to be changed
    host: str

    @property
    def moves(self) -> bool:
        """Whether anything about it is under way."""
        return self.status not in STEADY or "DBInstanceClass" in self.pending


@dataclass(frozen=True)
class Cluster:
    """A cluster, its nodes that are on the ladder, and the names under which it is reached."""

    status: str
    nodes: tuple[Node, ...]
    endpoints: frozenset[str]

    @property
    def waits_for(self) -> str:
        """Say what moves; empty: nothing does."""
        told = [] if self.status in STEADY else [self.status]
        return ", ".join(told + [words_of(node) for node in self.nodes if node.moves])

    @property
    def writer(self) -> Node:
        """Give the writer. Raises: Unknown, if it is not plain which one it is."""
        writers = [node for node in self.nodes if node.writer]
        if len(writers) != 1:
            raise OutcomeUnclear(
                _("RDS names %(count)s writers of the cluster. It is read again.") % {"count": len(writers)}
            )
        return writers[0]


class AuroraClass(Aws):
    """`locator`: {"region", "cluster", "classes"}. State: {"classes": {instance: class}, "writer": instance}.

    `writer` is null where it does not matter which instance writes: while a drop is on, all are as large. Only
    instances whose class is on the ladder are touched.
    """

    name: ClassVar[str] = gettext_noop("Aurora instance class")
    unit: ClassVar[str] = gettext_noop("vCPUs")
    fields: ClassVar[tuple[Field, ...]] = (
        REGION,
        Field("cluster", gettext_noop("Aurora cluster"), gettext_noop("Its identifier. It needs a reader.")),
        Field(
            "classes",
            gettext_noop("ladder of classes"),
            gettext_noop("From small to large: db.r7g.large, db.r7g.xlarge, db.r7g.2xlarge. Sizes are their vCPUs."),
        ),
    )
    lead_seconds: ClassVar[int] = 2700  # a quarter of an hour for each of two nodes, and again as much as one
    tier: ClassVar[int] = 0
    price_key: ClassVar[str] = "aurora-class"

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Look at the names, and at the ladder. Raises: BadWhere."""
        faults: dict[str, str] = {}
        try:
            super().check(locator)
        except BadLocator as error:
            faults = error.errors
        try:
            ladder_of(locator)
        except ValueError as error:
            faults["classes"] = str(error)
        if faults:
            raise BadLocator(faults)

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Name region and cluster, whose case does not matter."""
        return f"aws:rds:{text(locator, 'region')}:{text(locator, 'cluster').lower()}:class"

    @property
    def display_name(self) -> str:
        """Say which cluster."""
        return _("Aurora cluster %(name)s") % {"name": text(self.locator, "cluster")}

    def read(self) -> Reading:
        """Read the class and state of each instance, and who writes. The writer's vCPUs are the size."""
        cluster = self._look()
        size = self._cpus(cluster.writer.klass)
        stable = cluster.status in STEADY and cluster.writer.status in STEADY
        return Reading(
            state={
                "classes": {node.name: node.klass for node in cluster.nodes},
                "writer": cluster.writer.name,
            },
            size=size,
            serving=size if stable else 0,
            moving=bool(cluster.waits_for),
            message=", ".join(words_of(node) for node in cluster.nodes),
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Ask for the first class with as many vCPUs on every instance, and shrink none. Raises: Refused, beyond it."""
        ladder = ladder_of(self.locator)
        wanted = next((klass for klass, cpus in ladder.items() if cpus >= size), None)
        if wanted is None:
            raise ApplyRefused(
                _(
                    "%(size)s vCPUs are wanted and the ladder of %(thing)s ends at %(last)s. Add a class, or lower the "
                    "ceiling."
                )
                % {"size": size, "thing": self.display_name, "last": max(ladder.values())}
            )
        classes = {
            name: max(klass, wanted, key=lambda one: ladder.get(one, 0)) for name, klass in baseline["classes"].items()
        }
        return baseline if classes == baseline["classes"] else {"classes": classes, "writer": None}

    def apply(self, state: State, *, key: str) -> Applied:
        """Do the next step on the way, if nothing moves. Raises: Refused, if it needs a reader and there is none."""
        cluster = self._look()
        if cluster.waits_for:
            return Applied(message=_("waits: %(what)s") % {"what": cluster.waits_for})
        classes, writer = state["classes"], cluster.writer
        readers = [node for node in cluster.nodes if not node.writer]
        readers.sort(key=lambda node: (node.name != state["writer"], node.tier, node.name))
        fit = [node for node in readers if node.klass == classes.get(node.name)]
        unfit = [node for node in readers if node.name in classes and node not in fit]
        if writer.klass == classes.get(writer.name, writer.klass):
            if unfit:
                return self._resize(unfit[0], classes)
            if state["writer"] in {None, writer.name}:
                return Applied(message=_("stands"))
        if fit and (state["writer"] in {None, fit[0].name} or not unfit):
            return self._fail_over(fit[0], cluster)
        if unfit:
            return self._resize(unfit[0], classes)
        raise ApplyRefused(
            _("%(thing)s has no reader, so that its class can't be changed while it serves. Add a reader.")
            % {"thing": self.display_name}
        )

    def is_same(self, one: State, other: State) -> bool:
        """Whether all classes are equal, and the same instance writes where that matters."""
        if not one or not other:
            return False
        writers = {state["writer"] for state in (one, other)} - {None}
        return bool(one["classes"] == other["classes"]) and len(writers) <= 1

    def is_between(self, live: State, *, before: State, after: State) -> bool:
        """Whether the instances are the same ones, each with its old or its new class; whoever writes."""
        old, new = before["classes"], after["classes"]
        return live["classes"].keys() == new.keys() and all(
            klass in {old.get(name), new[name]} for name, klass in live["classes"].items()
        )

    def _look(self) -> Cluster:
        """Read the cluster. Raises: Refused, if there is none, or it is none of Aurora's."""
        name = text(self.locator, "cluster")
        answer = self.call("rds", "describe_db_clusters", DBClusterIdentifier=name)
        with understood("DescribeDBClusters"):
            found = answer["DBClusters"][0]
            if not str(found["Engine"]).startswith("aurora"):
                raise ApplyRefused(
                    _("%(name)s runs %(engine)s. Only Aurora lets instances of a cluster be resized one by one.")
                    % {"name": name, "engine": found["Engine"]}
                )
            members = {one["DBInstanceIdentifier"]: one for one in found["DBClusterMembers"]}
            return Cluster(
                status=str(found["Status"]),
                nodes=self._nodes(name, members),
                endpoints=frozenset(str(found[one]) for one in ("Endpoint", "ReaderEndpoint") if found.get(one)),
            )

    def _nodes(self, cluster: str, members: Mapping[str, Any]) -> tuple[Node, ...]:
        """Read the instances that are on the ladder, and the writer in any case, by name."""
        ladder = ladder_of(self.locator)
        filters = [{"Name": "db-cluster-id", "Values": [cluster.lower()]}]
        answer = self.call("rds", "describe_db_instances", Filters=filters)
        with understood("DescribeDBInstances"):
            found = [node_of(one, members[one["DBInstanceIdentifier"]]) for one in answer["DBInstances"]]
        kept = (one for one in found if one.writer or (one.klass in ladder and not one.name.startswith(BY_AWS)))
        return tuple(sorted(kept, key=lambda node: node.name))

    def _cpus(self, klass: str) -> int:
        """Count a class's vCPUs. Raises: Refused, if it is not on the ladder."""
        ladder = ladder_of(self.locator)
        if klass not in ladder:
            raise ApplyRefused(
                _("The writer of %(thing)s has class %(klass)s, which is not on the ladder. Add it.")
                % {"thing": self.display_name, "klass": klass}
            )
        return ladder[klass]

    def _resize(self, node: Node, classes: Mapping[str, str]) -> Applied:
        """Change a reader's class now. Raises: Refused, if that would also bring about what others have waiting."""
        if node.pending:
            raise ApplyRefused(
                _(
                    "%(node)s has changes waiting for its maintenance window (%(what)s), and a new class would bring "
                    "them about as well. Apply them first, or take them back."
                )
                % {"node": node.name, "what": ", ".join(node.pending)}
            )
        wanted = classes[node.name]
        answer = self.call(
            "rds",
            "modify_db_instance",
            thing=_("instance %(name)s") % {"name": node.name},
            DBInstanceIdentifier=node.name,
            DBInstanceClass=wanted,
            ApplyImmediately=True,
        )
        return Applied(request_id(answer), _("%(node)s → %(klass)s") % {"node": node.name, "klass": wanted})

    def _fail_over(self, node: Node, cluster: Cluster) -> Applied:
        """Warm a reader and make it the writer; always a named one, so that a repeat can't send the role back."""
        warmed = aurora_warmup.warm(host=node.host, endpoints=cluster.endpoints)
        answer = self.call(
            "rds",
            "failover_db_cluster",
            DBClusterIdentifier=text(self.locator, "cluster"),
            TargetDBInstanceIdentifier=node.name,
        )
        told = {"node": node.name, "warmed": warmed}
        return Applied(request_id(answer), _("%(node)s becomes the writer; %(warmed)s") % told)


def ladder_of(locator: Mapping[str, Any]) -> dict[str, int]:
    """Give {class: vCPUs}, ascending: of "db.r7g.large, db.r7g.xlarge", or "db.x.odd=6". Raises: ValueError."""
    ladder: dict[str, int] = {}
    given = locator.get("classes")
    words = given if isinstance(given, list) else re.split(r"[\s,]+", given) if isinstance(given, str) else []
    for word in filter(None, map(str, words)):
        klass, _equals, number = word.partition("=")
        cpus = int(number) if number.isdecimal() else cpus_of(klass)
        if not CLASS.fullmatch(klass) or cpus < 1 or (number and not number.isdecimal()):
            raise ValueError(
                _("%(word)s is no class of instances; write db.r7g.xlarge, or db.r7g.odd=6.") % {"word": word}
            )
        if ladder and cpus <= max(ladder.values()):
            raise ValueError(
                _("%(word)s has no more vCPUs than the class before it; sort them upwards.") % {"word": word}
            )
        ladder[klass] = cpus
    if len(ladder) < 2:
        raise ValueError(_("Give two classes at least, from small to large."))
    return ladder


def cpus_of(klass: str) -> int:
    """Give a class's vCPUs by its last word, as AWS names them: large 2, xlarge 4, 8xlarge 32; 0: not known."""
    size = klass.rpartition(".")[2]
    times = size.removesuffix("xlarge")
    return int(times) * 4 if times.isdecimal() else SMALL.get(size, 0)


def node_of(instance: Mapping[str, Any], member: Mapping[str, Any]) -> Node:
    """Make a node of what RDS says of the instance and of its membership."""
    return Node(
        name=instance["DBInstanceIdentifier"],
        klass=instance["DBInstanceClass"],
        status=instance["DBInstanceStatus"],
        writer=bool(member["IsClusterWriter"]),
        tier=int(member.get("PromotionTier", 1)),
        pending=tuple(sorted(name for name, value in (instance.get("PendingModifiedValues") or {}).items() if value)),
        host=str((instance.get("Endpoint") or {}).get("Address") or ""),
    )


def words_of(node: Node) -> str:
    """Say what an instance is and does: "shop-b db.r7g.large reader, modifying"."""
    role = _("writer") if node.writer else _("reader")
    state = node.status if node.status not in STEADY else _("class pending") if node.moves else ""
    return f"{node.name} {node.klass} {role}" + (f" ({state})" if state else "")
