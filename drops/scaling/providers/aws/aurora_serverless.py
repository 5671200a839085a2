"""Aurora Serverless v2: a cluster's minimum capacity, below which none of its serverless instances may fall.

Sizes are in half ACUs, AWS's own steps, so that a baseline of 0.5 ACU is restored exactly. Whether the
minimum has been reached is read from the capacity that each instance reports, not from the setting. With a
minimum of 0 or 0.5, Aurora PostgreSQL allows at most 2,000 connections; raising the minimum changes that only
at the next restart.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from django.utils import timezone

from drops.scaling.providers.aws.aurora import STABLE_STATUSES, AuroraProvider
from drops.scaling.providers.aws.client import REGION, locator_text, parsing, request_id
from drops.scaling.providers.base import Applied, ApplyRefused, Field, OutcomeUnclear, Reading, State

METRIC = "ServerlessDatabaseCapacity"
MAX_METRIC_AGE = timedelta(minutes=5)
MAX_ACU = 1024  # a higher reading can't be right
LIMITED_CONNECTIONS_ACU = 0.5  # up to this minimum, Aurora PostgreSQL limits connections to 2,000


class AuroraServerless(AuroraProvider):
    """`locator`: {"region", "cluster"}.

    State: {"min", "max"} in ACU, and "pause" in seconds where min is 0.
    """

    name: ClassVar[str] = "Aurora Serverless v2 minimum"
    unit: ClassVar[str] = "half ACUs"
    fields: ClassVar[tuple[Field, ...]] = (
        REGION,
        Field("cluster", "Aurora cluster", "Its identifier. Sizes are in half ACUs."),
    )
    lead_seconds: ClassVar[int] = 600
    price_key: ClassVar[str] = "aurora-serverless"

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Return region and cluster, whose case doesn't matter."""
        return f"aws:rds:{locator_text(locator, 'region')}:{locator_text(locator, 'cluster').lower()}:acu"

    def read(self) -> Reading:
        """Read the cluster's capacity range, and the lowest capacity that a serverless instance reports."""
        cluster = self._serverless_cluster()
        instances = self._serverless_instances()
        with parsing("DescribeDBClusters"):
            state = state_of(cluster["ServerlessV2ScalingConfiguration"])
            statuses = [cluster["Status"], *instances.values()]
        capacity = self._read_capacity(list(instances))
        # An instance without a recent figure may have any capacity, so then none counts as ready.
        all_known = len(capacity) == len(instances)
        return Reading(
            state=state,
            size=half_acus(state["min"]),
            serving=half_acus(min(capacity.values())) if all_known else 0,
            moving=any(status not in STABLE_STATUSES for status in statuses),
            message=capacity_message(state, capacity, instances),
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Raise the minimum, and the maximum with it where that is lower; never lower either."""
        low = max(size / 2, baseline["min"])
        if low == baseline["min"]:
            return baseline
        return {"min": low, "max": max(low, baseline["max"])}

    def apply(self, state: State, *, key: str) -> Applied:
        """Set the capacity range in one call."""
        with parsing("DescribeDBClusters"):
            has_pending_changes = bool(self._serverless_cluster().get("PendingModifiedValues"))
        capacity_range: dict[str, Any] = {"MinCapacity": state["min"], "MaxCapacity": state["max"]}
        if state.get("pause") is not None:
            capacity_range["SecondsUntilAutoPause"] = state["pause"]
        response = self.call(
            "rds",
            "modify_db_cluster",
            DBClusterIdentifier=self.cluster_id,
            ServerlessV2ScalingConfiguration=capacity_range,
            # Applying immediately would also apply changes that others left for the maintenance window.
            ApplyImmediately=not has_pending_changes,
        )
        return Applied(request_id=request_id(response), message=self.format_size(half_acus(state["min"])))

    def format_size(self, size: int) -> str:
        """Return a size in ACU."""
        return f"{size / 2:g} ACU"

    def _serverless_cluster(self) -> dict[str, Any]:
        """Read the cluster. Raises ApplyRefused if there is none, or it has no capacity range."""
        cluster = self.describe_cluster()
        with parsing("DescribeDBClusters"):
            if not cluster.get("ServerlessV2ScalingConfiguration"):
                raise ApplyRefused(
                    f"{self.display_name} is not Serverless v2: it has no capacity range. Set one, or"
                    " choose a different provider."
                )
        return cluster

    def _serverless_instances(self) -> dict[str, str]:
        """Return the status of each serverless instance. Raises ApplyRefused if there is none."""
        with parsing("DescribeDBInstances"):
            instances = {
                str(instance["DBInstanceIdentifier"]): str(instance["DBInstanceStatus"])
                for instance in self.describe_instances()
                if instance["DBInstanceClass"] == "db.serverless"
            }
        if not instances:
            raise ApplyRefused(
                f"{self.display_name} has no instance of class db.serverless, so a minimum has no effect. Add one."
            )
        return instances

    def _read_capacity(self, instances: list[str]) -> dict[str, float]:
        """Return the newest capacity in ACU of each instance that has a recent figure."""
        now = timezone.now()
        response = self.call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=[metric_query(number, name) for number, name in enumerate(instances)],
            StartTime=now - MAX_METRIC_AGE,
            EndTime=now + timedelta(minutes=1),
            ScanBy="TimestampDescending",
        )
        with parsing("GetMetricData"):
            values = {int(result["Id"][1:]): result["Values"] for result in response["MetricDataResults"]}
            capacity = {
                name: float(values[number][0]) for number, name in enumerate(instances) if values.get(number)
            }
            if any(not 0 <= acu <= MAX_ACU for acu in capacity.values()):
                raise OutcomeUnclear(
                    f"CloudWatch reports an impossible capacity: {capacity}. It will be read again."
                )
            return capacity


def capacity_message(state: State, capacity: Mapping[str, float], instances: Mapping[str, str]) -> str:
    """Return what each instance reports, and a warning where connections are limited."""
    parts = []
    for name, status in sorted(instances.items()):
        if name in capacity:
            parts.append(f"{name} {capacity[name]:g} ACU")
        else:
            parts.append(f"{name} ({status}) has reported no capacity for five minutes")
    if state["min"] <= LIMITED_CONNECTIONS_ACU:
        parts.append(
            "a minimum of 0 or 0.5 ACU allows at most 2,000 connections, until a restart with a higher one"
        )
    return ", ".join(parts)


def state_of(capacity_range: Mapping[str, Any]) -> State:
    """Return the capacity range as a state, with the pause only if the minimum is 0, which a pause needs."""
    state: State = {"min": float(capacity_range["MinCapacity"]), "max": float(capacity_range["MaxCapacity"])}
    if state["min"] == 0:
        state["pause"] = capacity_range.get("SecondsUntilAutoPause")
    return state


def half_acus(acu: float) -> int:
    """Return a capacity in half ACUs, rounded down: 0.5 → 1."""
    return int(acu * 2)


def metric_query(number: int, name: str) -> dict[str, Any]:
    """Return CloudWatch's query for an instance's lowest capacity in each minute."""
    metric = {
        "Namespace": "AWS/RDS",
        "MetricName": METRIC,
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": name}],
    }
    return {"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Minimum"}}
