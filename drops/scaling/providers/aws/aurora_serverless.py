"""Aurora Serverless v2: the least capacity of a cluster, below which none of its serverless instances may fall.

Sizes are half ACUs, the steps in which AWS counts, so that a baseline of 0.5 ACU comes back exactly. Whether it stands
is read from the capacity that each instance reports, not from the bound. A minimum of 0 or 0.5 caps the connections of
Aurora PostgreSQL at 2,000, and raising it lifts that only at the next restart.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drops.scaling.providers.aws.client import REGION, Aws, request_id, text, understood
from drops.scaling.providers.base import Applied, ApplyRefused, Field, OutcomeUnclear, Reading, State

STEADY = {"available", "backing-up", "storage-optimization"}  # states in which nothing that matters moves
METRIC = "ServerlessDatabaseCapacity"
FRESH = timedelta(minutes=5)  # an older figure tells nothing
CAPPED_ACU = 0.5


class AuroraServerless(Aws):
    """`locator`: {"region", "cluster"}. State: {"min", "max"} in ACU, and "pause" in seconds where min is 0."""

    name: ClassVar[str] = gettext_noop("Aurora Serverless v2 minimum")
    unit: ClassVar[str] = gettext_noop("half ACUs")
    fields: ClassVar[tuple[Field, ...]] = (
        REGION,
        Field("cluster", gettext_noop("Aurora cluster"), gettext_noop("Its identifier. Sizes are in half ACUs.")),
    )
    lead_seconds: ClassVar[int] = 600
    tier: ClassVar[int] = 0
    price_key: ClassVar[str] = "aurora-serverless"

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Name region and cluster, whose case does not matter."""
        return f"aws:rds:{text(locator, 'region')}:{text(locator, 'cluster').lower()}:acu"

    @property
    def display_name(self) -> str:
        """Say which cluster."""
        return _("Aurora cluster %(name)s") % {"name": text(self.locator, "cluster")}

    def read(self) -> Reading:
        """Read the bounds of the cluster, and the least capacity that one of its serverless instances reports."""
        cluster = self._cluster()
        instances = self._instances()
        with understood("DescribeDBClusters"):
            state = state_of(cluster["ServerlessV2ScalingConfiguration"])
            statuses = [cluster["Status"], *instances.values()]
        capacity = self._capacity(list(instances))
        serving = halves(min(capacity.values())) if len(capacity) == len(instances) else 0
        return Reading(
            state=state,
            size=halves(state["min"]),
            serving=serving,
            moving=any(status not in STEADY for status in statuses),
            message=self._words(state, capacity, instances),
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Raise the minimum, and the maximum with it where that lies lower; lower nothing."""
        low = max(size / 2, baseline["min"])
        raised: State = {"min": low, "max": max(low, baseline["max"])}
        return baseline if low == baseline["min"] else raised

    def apply(self, state: State, *, key: str) -> Applied:
        """Set both bounds in one call. Other people's changes that wait for a maintenance window go on waiting."""
        with understood("DescribeDBClusters"):
            waiting = bool(self._cluster().get("PendingModifiedValues"))
        bounds: dict[str, Any] = {"MinCapacity": state["min"], "MaxCapacity": state["max"]}
        if state.get("pause") is not None:
            bounds["SecondsUntilAutoPause"] = state["pause"]
        answer = self.call(
            "rds",
            "modify_db_cluster",
            DBClusterIdentifier=text(self.locator, "cluster"),
            ServerlessV2ScalingConfiguration=bounds,
            ApplyImmediately=not waiting,
        )
        return Applied(request_id=request_id(answer), message=self.format_size(halves(state["min"])))

    def format_size(self, size: int) -> str:
        """Say a size in ACU."""
        return _("%(acu)g ACU") % {"acu": size / 2}

    def _cluster(self) -> dict[str, Any]:
        """Read the cluster. Raises: Refused, if there is none or it has no bounds."""
        answer = self.call("rds", "describe_db_clusters", DBClusterIdentifier=text(self.locator, "cluster"))
        with understood("DescribeDBClusters"):
            found: dict[str, Any] = answer["DBClusters"][0]
            if not found.get("ServerlessV2ScalingConfiguration"):
                raise ApplyRefused(
                    _("%(thing)s is not Serverless v2: it has no capacity range. Give it one, or use another kind.")
                    % {"thing": self.display_name}
                )
            return found

    def _instances(self) -> dict[str, str]:
        """Read the serverless instances and their states. Raises: Refused, if there is none."""
        filters = [{"Name": "db-cluster-id", "Values": [text(self.locator, "cluster").lower()]}]
        answer = self.call("rds", "describe_db_instances", Filters=filters)
        with understood("DescribeDBInstances"):
            found = {
                str(one["DBInstanceIdentifier"]): str(one["DBInstanceStatus"])
                for one in answer["DBInstances"]
                if one["DBInstanceClass"] == "db.serverless"
            }
        if not found:
            raise ApplyRefused(
                _("%(thing)s has no instance of class db.serverless, and a minimum moves nothing. Add one.")
                % {"thing": self.display_name}
            )
        return found

    def _capacity(self, instances: list[str]) -> dict[str, float]:
        """Read the newest capacity in ACU of each instance; one without a fresh figure is left out."""
        now = timezone.now()
        answer = self.call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=[query(number, name) for number, name in enumerate(instances)],
            StartTime=now - FRESH,
            EndTime=now + timedelta(minutes=1),
            ScanBy="TimestampDescending",
        )
        with understood("GetMetricData"):
            series = {int(one["Id"][1:]): one["Values"] for one in answer["MetricDataResults"]}
            found = {name: float(series[number][0]) for number, name in enumerate(instances) if series.get(number)}
            if any(not 0 <= acu <= 1024 for acu in found.values()):
                raise OutcomeUnclear(_("CloudWatch reports an impossible capacity: %(found)s.") % {"found": found})
            return found

    def _words(self, state: State, capacity: Mapping[str, float], instances: Mapping[str, str]) -> str:
        told = [
            _("%(name)s %(acu)g ACU") % {"name": name, "acu": capacity[name]}
            if name in capacity
            else _("%(name)s (%(status)s) has reported no capacity for five minutes") % {"name": name, "status": status}
            for name, status in sorted(instances.items())
        ]
        if state["min"] <= CAPPED_ACU:
            told.append(_("a minimum of 0 or 0.5 ACU allows 2,000 connections at most, until a restart above it"))
        return ", ".join(told)


def state_of(bounds: Mapping[str, Any]) -> State:
    """Give the bounds as a state; the pause only where it can be: a cluster whose minimum is 0."""
    state: State = {"min": float(bounds["MinCapacity"]), "max": float(bounds["MaxCapacity"])}
    if state["min"] == 0:
        state["pause"] = bounds.get("SecondsUntilAutoPause")
    return state


def halves(acu: float) -> int:
    """Count half ACUs, rounded down: 0.5 → 1."""
    return int(acu * 2)


def query(number: int, name: str) -> dict[str, Any]:
    """Ask CloudWatch for an instance's least capacity of each minute."""
    metric = {
        "Namespace": "AWS/RDS",
        "MetricName": METRIC,
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": name}],
    }
    return {"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Minimum"}}
