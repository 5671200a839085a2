"""The instance class of an Aurora cluster, changed one instance at a time and never on the writer.

  resize a small reader ─▶ wait ─▶ warm it ─▶ fail over to it ─▶ resize the old writer, now a reader ─▶ …

Resizing the writer itself would move its role to a small reader and never bring it back. On the way down, the
baseline's writer is resized first and gets its role back; then the others follow. Each call to `apply` takes
the next step that the cluster allows, and none while a change is in progress.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from drops.scaling.providers.aws import aurora_warmup
from drops.scaling.providers.aws.aurora import STABLE_STATUSES, AuroraProvider
from drops.scaling.providers.aws.client import REGION, locator_text, parsing, request_id
from drops.scaling.providers.base import (
    Applied,
    ApplyRefused,
    BadLocator,
    Field,
    OutcomeUnclear,
    Reading,
    State,
)

CLASS = re.compile(r"db\.[a-z0-9-]+\.[a-z0-9-]+")
SMALL_CLASS_VCPUS = {"micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4}
AUTO_SCALED_PREFIX = "application-autoscaling-"  # of readers that Aurora's own auto scaling adds and removes


@dataclass(frozen=True)
class Node:
    """One instance of the cluster."""

    name: str
    instance_class: str
    status: str
    is_writer: bool
    promotion_tier: int  # the lowest is promoted first
    pending: tuple[str, ...]  # names of the settings that are waiting to be changed
    host: str

    @property
    def is_changing(self) -> bool:
        """Whether a change of it is in progress."""
        return self.status not in STABLE_STATUSES or "DBInstanceClass" in self.pending


@dataclass(frozen=True)
class Cluster:
    """A cluster, those of its nodes that are scaled, and the names under which it is reached."""

    status: str
    nodes: tuple[Node, ...]
    endpoints: frozenset[str]

    @property
    def changes(self) -> str:
        """What is changing, for ops; empty if nothing is."""
        cluster = [] if self.status in STABLE_STATUSES else [f"cluster {self.status}"]
        return ", ".join(cluster + [describe_node(node) for node in self.nodes if node.is_changing])

    @property
    def writer(self) -> Node:
        """The writer. Raises OutcomeUnclear unless there is exactly one."""
        writers = [node for node in self.nodes if node.is_writer]
        if len(writers) != 1:
            raise OutcomeUnclear(f"RDS reports {len(writers)} writers of the cluster. It will be read again.")
        return writers[0]


class AuroraClass(AuroraProvider):
    """`locator`: {"region", "cluster", "classes"}. State: {"classes": {instance: class}, "writer": instance}.

    `writer` is null where it doesn't matter which instance writes: during a drop, all are of the same class.
    Only instances of a listed class are changed.
    """

    name: ClassVar[str] = "Aurora instance class"
    unit: ClassVar[str] = "vCPUs"
    fields: ClassVar[tuple[Field, ...]] = (
        REGION,
        Field("cluster", "Aurora cluster", "Its identifier. The cluster needs a reader."),
        Field(
            "classes",
            "instance classes",
            "From small to large, such as db.r7g.large, db.r7g.xlarge, db.r7g.2xlarge. A size is the vCPUs of a class.",
        ),
    )
    lead_seconds: ClassVar[int] = 2700  # 15 minutes for each of two nodes, and as much again in reserve
    price_key: ClassVar[str] = "aurora-class"

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Check the names and the list of classes. Raises BadLocator."""
        errors: dict[str, str] = {}
        try:
            super().check(locator)
        except BadLocator as error:
            errors = error.errors
        try:
            parse_classes(locator)
        except ValueError as error:
            errors["classes"] = str(error)
        if errors:
            raise BadLocator(errors)

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Return region and cluster, whose case doesn't matter."""
        return f"aws:rds:{locator_text(locator, 'region')}:{locator_text(locator, 'cluster').lower()}:class"

    def read(self) -> Reading:
        """Read the class and status of each instance, and which one writes.

        The writer's vCPUs are the size.
        """
        cluster = self._read_cluster()
        writer = cluster.writer
        size = self._vcpus(writer.instance_class)
        is_writer_available = cluster.status in STABLE_STATUSES and writer.status in STABLE_STATUSES
        return Reading(
            state={
                "classes": {node.name: node.instance_class for node in cluster.nodes},
                "writer": writer.name,
            },
            size=size,
            serving=size if is_writer_available else 0,
            moving=bool(cluster.changes),
            message=", ".join(describe_node(node) for node in cluster.nodes),
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Return the first class with enough vCPUs for every instance; a larger one keeps its class.

        Raises ApplyRefused if no listed class is large enough.
        """
        vcpus = parse_classes(self.locator)
        large_enough = [name for name, count in vcpus.items() if count >= size]
        if not large_enough:
            raise ApplyRefused(
                f"{size} vCPUs are needed, but the largest class listed for {self.display_name} has"
                f" {max(vcpus.values())}. Add a class, or lower the ceiling."
            )
        wanted = large_enough[0]
        classes = {
            node: max(current, wanted, key=lambda name: vcpus.get(name, 0))
            for node, current in baseline["classes"].items()
        }
        return baseline if classes == baseline["classes"] else {"classes": classes, "writer": None}

    def apply(self, state: State, *, key: str) -> Applied:
        """Take the next step, if no change is in progress.

        Raises ApplyRefused if it needs a reader and has none.
        """
        cluster = self._read_cluster()
        if cluster.changes:
            return Applied(message=f"waiting for {cluster.changes}")
        classes, writer = state["classes"], cluster.writer
        readers = [node for node in cluster.nodes if not node.is_writer]
        # The writer-to-be comes first, then in the order in which AWS would promote them.
        readers.sort(key=lambda node: (node.name != state["writer"], node.promotion_tier, node.name))
        resized = [node for node in readers if node.instance_class == classes.get(node.name)]
        to_resize = [node for node in readers if node.name in classes and node not in resized]
        is_writer_resized = writer.instance_class == classes.get(writer.name, writer.instance_class)
        if is_writer_resized and to_resize:
            return self._resize(to_resize[0], classes)
        if is_writer_resized and state["writer"] in {None, writer.name}:
            return Applied(message="already as desired")
        if resized and (state["writer"] in {None, resized[0].name} or not to_resize):
            return self._fail_over(resized[0], cluster)
        if to_resize:
            return self._resize(to_resize[0], classes)
        raise ApplyRefused(
            f"{self.display_name} has no reader, so its class can't be changed while it serves. Add a reader."
        )

    def is_same(self, one: State, other: State) -> bool:
        """Whether all classes are equal, and the same instance writes where that matters."""
        if not one or not other:
            return False
        writers = {state["writer"] for state in (one, other)} - {None}
        return bool(one["classes"] == other["classes"]) and len(writers) <= 1

    def is_between(self, live: State, *, before: State, after: State) -> bool:
        """Whether the instances are the same, each of its old or its new class; any of them may write."""
        old, new = before["classes"], after["classes"]
        return live["classes"].keys() == new.keys() and all(
            current in {old.get(node), new[node]} for node, current in live["classes"].items()
        )

    def _read_cluster(self) -> Cluster:
        """Read the cluster. Raises ApplyRefused if there is none, or it isn't Aurora."""
        found = self.describe_cluster()
        with parsing("DescribeDBClusters"):
            if not str(found["Engine"]).startswith("aurora"):
                raise ApplyRefused(
                    f"{self.cluster_id} runs {found['Engine']}. Only Aurora can resize the instances of a"
                    " cluster one by one. Choose a different target."
                )
            members = {member["DBInstanceIdentifier"]: member for member in found["DBClusterMembers"]}
            return Cluster(
                status=str(found["Status"]),
                nodes=self._read_nodes(members),
                endpoints=frozenset(
                    str(found[name]) for name in ("Endpoint", "ReaderEndpoint") if found.get(name)
                ),
            )

    def _read_nodes(self, members: Mapping[str, Any]) -> tuple[Node, ...]:
        """Return the writer and the readers of a listed class, by name."""
        vcpus = parse_classes(self.locator)
        with parsing("DescribeDBInstances"):
            nodes = [
                node_of(instance, members[instance["DBInstanceIdentifier"]])
                for instance in self.describe_instances()
            ]
        scaled = [
            node
            for node in nodes
            if node.is_writer
            or (node.instance_class in vcpus and not node.name.startswith(AUTO_SCALED_PREFIX))
        ]
        return tuple(sorted(scaled, key=lambda node: node.name))

    def _vcpus(self, instance_class: str) -> int:
        """Return the vCPUs of the writer's class. Raises ApplyRefused if the class is not listed."""
        vcpus = parse_classes(self.locator)
        if instance_class not in vcpus:
            raise ApplyRefused(
                f"The writer of {self.display_name} has class {instance_class}, which is not among the"
                " target's classes. Add it."
            )
        return vcpus[instance_class]

    def _resize(self, node: Node, classes: Mapping[str, str]) -> Applied:
        """Change a reader's class now.

        Raises ApplyRefused if that would also apply changes made by others.
        """
        if node.pending:
            raise ApplyRefused(
                f"{node.name} has changes waiting for its maintenance window ({', '.join(node.pending)}),"
                " and changing its class would apply them too. Apply them first, or undo them."
            )
        instance_class = classes[node.name]
        response = self.call(
            "rds",
            "modify_db_instance",
            resource_name=f"instance {node.name}",
            DBInstanceIdentifier=node.name,
            DBInstanceClass=instance_class,
            ApplyImmediately=True,
        )
        return Applied(request_id(response), f"{node.name} → {instance_class}")

    def _fail_over(self, node: Node, cluster: Cluster) -> Applied:
        """Warm a reader and make it the writer."""
        warmed = aurora_warmup.warm(host=node.host, endpoints=cluster.endpoints)
        response = self.call(
            "rds",
            "failover_db_cluster",
            DBClusterIdentifier=self.cluster_id,
            # Always by name, so that a repeated call can't send the role back.
            TargetDBInstanceIdentifier=node.name,
        )
        return Applied(request_id(response), f"{node.name} becomes the writer; {warmed}")


def parse_classes(locator: Mapping[str, Any]) -> dict[str, int]:
    """Return {class: vCPUs}, ascending: of "db.r7g.large, db.r7g.xlarge", or "db.x.odd=6".

    Raises ValueError.
    """
    given = locator.get("classes")
    if isinstance(given, str):
        given = re.split(r"[\s,]+", given)
    entries = [entry for entry in map(str, given) if entry] if isinstance(given, list) else []
    vcpus: dict[str, int] = {}
    for entry in entries:
        name, _equals, number = entry.partition("=")
        count = int(number) if number.isdecimal() else vcpus_of(name)
        if not CLASS.fullmatch(name) or count < 1 or (number and not number.isdecimal()):
            raise ValueError(
                f"{entry} isn't a valid class. Enter one such as db.r7g.xlarge, or db.r7g.odd=6."
            )
        if vcpus and count <= max(vcpus.values()):
            raise ValueError(
                f"{entry} doesn't have more vCPUs than the class before it. Sort them from small to large."
            )
        vcpus[name] = count
    if len(vcpus) < 2:
        raise ValueError("Enter at least two classes, from small to large.")
    return vcpus


def vcpus_of(instance_class: str) -> int:
    """Return a class's vCPUs by AWS's naming: large 2, xlarge 4, 8xlarge 32; 0 if unknown."""
    size = instance_class.rpartition(".")[2]
    factor = size.removesuffix("xlarge")
    return int(factor) * 4 if factor.isdecimal() else SMALL_CLASS_VCPUS.get(size, 0)


def node_of(instance: Mapping[str, Any], member: Mapping[str, Any]) -> Node:
    """Return a node from what RDS reports about the instance and its membership."""
    return Node(
        name=instance["DBInstanceIdentifier"],
        instance_class=instance["DBInstanceClass"],
        status=instance["DBInstanceStatus"],
        is_writer=bool(member["IsClusterWriter"]),
        promotion_tier=int(member.get("PromotionTier", 1)),
        pending=tuple(
            sorted(name for name, value in (instance.get("PendingModifiedValues") or {}).items() if value)
        ),
        host=str((instance.get("Endpoint") or {}).get("Address") or ""),
    )


def describe_node(node: Node) -> str:
    """Return an instance's class, role and status: "shop-b db.r7g.large reader (modifying)"."""
    role = "writer" if node.is_writer else "reader"
    description = f"{node.name} {node.instance_class} {role}"
    if node.status not in STABLE_STATUSES:
        return f"{description} ({node.status})"
    if node.is_changing:
        return f"{description} (class pending)"
    return description
