"""What both Aurora providers share: reading the cluster and its instances."""

from typing import Any, ClassVar

from drops.scaling.providers.aws.client import AwsProvider, locator_text, parsing

# Of a cluster or an instance that isn't changing.
STABLE_STATUSES = {"available", "backing-up", "storage-optimization"}


class AuroraProvider(AwsProvider):
    """A target that is an Aurora cluster. `locator` has at least {"region", "cluster"}."""

    tier: ClassVar[int] = 0

    @property
    def cluster_id(self) -> str:
        """The cluster's identifier, as ops entered it."""
        return locator_text(self.locator, "cluster")

    @property
    def display_name(self) -> str:
        """What the cluster is called in messages."""
        return f"Aurora cluster {self.cluster_id}"

    def describe_cluster(self) -> dict[str, Any]:
        """Return what RDS reports about the cluster. Raises ApplyRefused if there is none."""
        response = self.call("rds", "describe_db_clusters", DBClusterIdentifier=self.cluster_id)
        with parsing("DescribeDBClusters"):
            cluster: dict[str, Any] = response["DBClusters"][0]
            return cluster

    def describe_instances(self) -> list[dict[str, Any]]:
        """Return what RDS reports about each instance of the cluster."""
        # RDS keeps identifiers in lower case, and a filter matches only that.
        filters = [{"Name": "db-cluster-id", "Values": [self.cluster_id.lower()]}]
        response = self.call("rds", "describe_db_instances", Filters=filters)
        with parsing("DescribeDBInstances"):
            return list(response["DBInstances"])
