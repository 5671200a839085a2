"""A stand-in for AWS over HTTP that misbehaves as AWS can: it lags, refuses, throttles, fails and lies.

Nothing in it takes time: a change in progress moves on at each read, so that a test ends after enough reads.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.drops.scaling import aws_wire, http_server
from tests.drops.scaling.aws_wire import Request, Response

REGION = "eu-central-1"
GROUP = "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/web/1"

Json = dict[str, Any]


class AwsFailure(Exception):
    """An error response."""

    def __init__(self, code: str, message: str = "No.", status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


@dataclass
class Service:
    """An ECS service with its scalable target. `max_running`: how many tasks the quota allows."""

    desired: int = 2
    running: int = 2
    tasks_per_read: int = 1000
    max_running: int = 1000
    event_reason: str = "You've reached the limit on the number of vCPUs you can run concurrently"
    unhealthy: int = 0  # tasks that run and are not healthy
    has_load_balancer: bool = False
    min_capacity: int | None = 2
    max_capacity: int | None = 20
    has_policies: bool = False
    is_daemon: bool = False


@dataclass
class Instance:
    """An instance of an RDS cluster.

    A new class is pending for `pending` reads, then takes `modifying` reads.
    """

    instance_class: str
    tier: int = 1
    new_class: str = ""
    pending: int = 0
    modifying: int = 0
    acu: float = 0.5
    other_changes: dict[str, str] = field(default_factory=dict)  # pending, made by others

    @property
    def status(self) -> str:
        return "modifying" if self.new_class and not self.pending else "available"


@dataclass
class Function:
    """A Lambda alias."""

    version: str = "7"
    requested: int = 0
    available: int = 0
    started_per_read: int = 1000
    failure: str = ""


@dataclass
class Fault:
    """The fault of an operation's next calls: an error code, "garbage", "hang", "lost" or "lie"."""

    kind: str
    message: str
    status: int
    times: int


class Cloud:
    """One AWS account in one region."""

    def __init__(self) -> None:
        self.service = Service()
        self.instances = {"shop-a": Instance("db.r7g.large"), "shop-b": Instance("db.r7g.large")}
        self.writer = "shop-a"
        self.engine = "aurora-postgresql"
        self.capacity_range: dict[str, float] | None = {"MinCapacity": 0.5, "MaxCapacity": 16.0}
        self.pending_changes: dict[str, str] = {}  # of the cluster, made by others
        self.failing_over = 0  # reads until the role has moved
        self.next_writer = ""
        self.reads_per_stage = 2  # reads that each stage of a change takes
        self.function = Function()
        self.concurrency = 1000  # of the account
        self.faults: dict[str, Fault] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.counts: list[int] = []  # ECS's count after each call that changes it
        self.writers_resized = 0
        self.over = threading.Event()
        self.lock = threading.Lock()

    def fault(
        self, operation: str, kind: str, message: str = "No.", *, status: int = 400, times: int = 1
    ) -> None:
        """Make the next calls of an operation fail."""
        self.faults[operation] = Fault(kind, message, status, times)

    def calls_of(self, *operations: str) -> list[str]:
        """Return the names of the calls that were made, of these operations only."""
        return [name for name, _parameters in self.calls if name in operations]

    def respond_to(self, request: Request) -> Response | None:
        """Return the response to a request, or what its fault makes of it; None if the response is lost."""
        with self.lock:
            self.calls.append((request.operation, request.parameters))
            number, fault = len(self.calls), self.faults.get(request.operation)
            if fault and fault.times:
                fault.times -= 1
            else:
                fault = None
        if fault and fault.kind == "hang":
            self.over.wait(30)
            return None
        with self.lock:
            try:
                return self._respond(request, fault, number)
            except AwsFailure as error:
                return aws_wire.error(request, error.code, error.message, error.status)

    def _respond(self, request: Request, fault: Fault | None, number: int) -> Response | None:
        if fault and fault.kind == "garbage":
            return Response(200, "text/html", b"<html>Welcome to the hotel's network</html>")
        if fault and fault.kind not in {"lost", "lie"}:
            raise AwsFailure(fault.kind, fault.message, fault.status)
        if request.region != REGION and request.service in {"ecs", "rds", "lambda"}:
            raise AwsFailure(
                {"ecs": "ClusterNotFoundException", "rds": "DBClusterNotFoundFault"}.get(
                    request.service, "ResourceNotFoundException"
                ),
                "Not found.",
                404,
            )
        method: Callable[[dict[str, Any], bool], dict[str, Any]] = getattr(self, request.operation)
        result = method(request.parameters, bool(fault and fault.kind == "lie"))
        return None if fault and fault.kind == "lost" else aws_wire.success(request, result, number=number)

    # --- ECS and Application Auto Scaling -------------------------------------------------------------------
    def DescribeServices(self, parameters: Json, lie: bool) -> Json:  # noqa: N802 as AWS calls it
        service = self.service
        if parameters["services"] != ["web"]:
            return {"services": [], "failures": [{"reason": "MISSING"}]}
        service.running += max(
            -service.tasks_per_read, min(service.tasks_per_read, service.desired - service.running)
        )
        service.running = min(service.running, service.max_running)
        return {"services": [self._ecs()]}

    def _ecs(self) -> Json:
        service = self.service
        short = service.desired > service.max_running
        message = (
            f"(service web) was unable to place a task. Reason: {service.event_reason}."
            if short
            else "(service web) is steady."
        )
        return {
            "status": "ACTIVE",
            "desiredCount": service.desired,
            "runningCount": service.running,
            "pendingCount": max(0, min(service.desired, service.max_running) - service.running),
            "loadBalancers": [{"targetGroupArn": GROUP}] if service.has_load_balancer else [],
            "schedulingStrategy": "DAEMON" if service.is_daemon else "REPLICA",
            "deployments": [{"status": "PRIMARY"}],
            "events": [{"message": message, "createdAt": datetime.now(UTC).timestamp()}],
        }

    def UpdateService(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        if not lie:
            self.service.desired = parameters["desiredCount"]
            self.counts.append(self.service.desired)
        return {"service": self._ecs() | {"desiredCount": parameters["desiredCount"]}}

    def DescribeScalableTargets(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        if self.service.min_capacity is None:
            return {"ScalableTargets": []}
        return {
            "ScalableTargets": [
                parameters
                | {
                    "ResourceId": parameters["ResourceIds"][0],
                    "MinCapacity": self.service.min_capacity,
                    "MaxCapacity": self.service.max_capacity,
                    "RoleARN": "arn:aws:iam::1:role/x",
                    "CreationTime": 0,
                }
            ]
        }

    def DescribeScalingPolicies(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        return {"ScalingPolicies": [{"PolicyName": "cpu"}] if self.service.has_policies else []}

    def RegisterScalableTarget(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        low = parameters.get("MinCapacity", self.service.min_capacity)
        high = parameters.get("MaxCapacity", self.service.max_capacity)
        if (low or 0) > (high or 0):
            raise AwsFailure("ValidationException", "Maximum capacity cannot be less than minimum capacity")
        if not lie:
            self.service.min_capacity, self.service.max_capacity = low, high
        return {}

    def DescribeTargetHealth(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        states = ["initial"] * self.service.unhealthy + ["healthy"] * (
            self.service.running - self.service.unhealthy
        )
        self.service.unhealthy = max(0, self.service.unhealthy - 1)
        return {"TargetHealthDescriptions": [{"TargetHealth": {"State": state}} for state in states]}

    # --- RDS and CloudWatch ---------------------------------------------------------------------------------
    def DescribeDBClusters(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        if parameters["DBClusterIdentifier"] != "shop":
            raise AwsFailure("DBClusterNotFoundFault", "DBCluster other not found.", 404)
        self._advance()
        return {"DBClusters": [self._cluster()]}

    def _advance(self) -> None:
        """Move each change in progress on by one read."""
        if self.failing_over:
            self.failing_over -= 1
            if not self.failing_over:
                self.writer = self.next_writer
        for instance in self.instances.values():
            if instance.pending:
                instance.pending -= 1
            elif instance.new_class:
                instance.modifying -= 1
                if instance.modifying <= 0:
                    instance.instance_class, instance.new_class = instance.new_class, ""

    def _cluster(self) -> Json:
        members = [
            {"DBInstanceIdentifier": name, "IsClusterWriter": name == self.writer, "PromotionTier": one.tier}
            for name, one in self.instances.items()
        ]
        return {
            "DBClusterIdentifier": "shop",
            "Status": "failing-over" if self.failing_over else "available",
            "Engine": self.engine,
            "Endpoint": "shop.cluster-x.eu-central-1.rds.amazonaws.com",
            "DBClusterMembers": members,
            "PendingModifiedValues": self.pending_changes or None,
            "ServerlessV2ScalingConfiguration": self.capacity_range,
        }

    def DescribeDBInstances(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        return {
            "DBInstances": [
                {
                    "DBInstanceIdentifier": name,
                    "DBInstanceClass": one.instance_class,
                    "DBInstanceStatus": one.status,
                    "PendingModifiedValues": one.other_changes
                    | ({"DBInstanceClass": one.new_class} if one.new_class else {}),
                    "Endpoint": {"Address": f"{name}.x.eu-central-1.rds.amazonaws.com", "Port": 5432},
                }
                for name, one in self.instances.items()
            ]
        }

    def ModifyDBInstance(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        name = parameters["DBInstanceIdentifier"]
        instance = self.instances[name]
        if instance.new_class or self.failing_over:
            raise AwsFailure("InvalidDBInstanceState", "Instance is not available.")
        if parameters.get("ApplyImmediately") != "true":
            raise AwsFailure("InvalidParameterCombination", "It would wait for Sunday.")
        if name == self.writer:  # the role goes to a small node and stays there
            self.writers_resized += 1
            self.writer = next(other for other in self.instances if other != name)
        if not lie:
            instance.new_class, instance.pending, instance.modifying = (
                parameters["DBInstanceClass"],
                self.reads_per_stage,
                self.reads_per_stage,
            )
        return {"DBInstance": {"DBInstanceIdentifier": name}}

    def FailoverDBCluster(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        to = parameters["TargetDBInstanceIdentifier"]
        if to == self.writer or self.failing_over or any(one.new_class for one in self.instances.values()):
            raise AwsFailure("InvalidDBClusterStateFault", "Not now.")
        if not lie:
            self.next_writer, self.failing_over = to, self.reads_per_stage
        return {"DBCluster": {"DBClusterIdentifier": "shop"}}

    def ModifyDBCluster(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        prefix = "ServerlessV2ScalingConfiguration."
        found = {
            name.removeprefix(prefix): float(value)
            for name, value in parameters.items()
            if name.startswith(prefix)
        }
        found |= {name: int(value) for name, value in found.items() if name == "SecondsUntilAutoPause"}
        if found["MinCapacity"] > found["MaxCapacity"] or found["MinCapacity"] * 2 % 1:
            raise AwsFailure("InvalidParameterValue", "Serverless v2 capacity is invalid.")
        if self.pending_changes and parameters["ApplyImmediately"] == "true":
            self.pending_changes = {}  # other people's change is applied
        if not lie:
            self.capacity_range = found
        return {"DBCluster": {"DBClusterIdentifier": "shop"}}

    def GetMetricData(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        results = []
        for query in parameters["MetricDataQueries"]:
            name = query["MetricStat"]["Metric"]["Dimensions"][0]["Value"]
            instance, low = self.instances[name], (self.capacity_range or {"MinCapacity": 0.0})["MinCapacity"]
            instance.acu = min(low, instance.acu * 2) if instance.acu < low else max(low, instance.acu / 2)
            values = [] if lie else [instance.acu, 0.5]
            timestamps = [datetime.now(UTC).timestamp()] * len(values)
            results.append(
                {"Id": query["Id"], "Values": values, "Timestamps": timestamps, "StatusCode": "Complete"}
            )
        return {"MetricDataResults": results}

    # --- Lambda ---------------------------------------------------------------------------------------------
    def GetAlias(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        if (parameters["FunctionName"], parameters["Name"]) != ("pay", "live"):
            raise AwsFailure("ResourceNotFoundException", f"Cannot find alias {parameters['Name']}", 404)
        return {"Name": parameters["Name"], "FunctionVersion": self.function.version}

    def GetProvisionedConcurrencyConfig(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        function = self.function
        if not function.requested:
            raise AwsFailure("ProvisionedConcurrencyConfigNotFoundException", "No config found.", 404)
        if not function.failure:
            function.available += max(
                -function.started_per_read,
                min(function.started_per_read, function.requested - function.available),
            )
        status = "IN_PROGRESS"
        if function.available == function.requested:
            status = "READY"
        elif function.failure:
            status = "FAILED"
        return {
            "RequestedProvisionedConcurrentExecutions": function.requested,
            "AvailableProvisionedConcurrentExecutions": function.available,
            "Status": status,
            "StatusReason": function.failure or None,
        }

    def PutProvisionedConcurrencyConfig(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        number = parameters["ProvisionedConcurrentExecutions"]
        if number > self.concurrency - 100:
            message = "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution"
            raise AwsFailure("InvalidParameterValueException", message)
        if not lie:
            self.function.requested = number
        return {"RequestedProvisionedConcurrentExecutions": number, "Status": "IN_PROGRESS"}

    def DeleteProvisionedConcurrencyConfig(self, parameters: Json, lie: bool) -> Json:  # noqa: N802
        if not lie:
            self.function.requested = self.function.available = 0
        return {}


@contextmanager
def serve(cloud: Cloud) -> Iterator[str]:
    """Serve the cloud on a port of this machine; yield its address."""

    class Handler(http_server.QuietHandler):
        def handle_any(self) -> None:
            request = aws_wire.parse(
                method=self.command, path=self.path, headers=self.headers, body=self.read_body()
            )
            response = cloud.respond_to(request)
            self.close_connection = True
            if response is None:
                return
            headers = {
                "Content-Type": response.content_type,
                "x-amzn-RequestId": f"request-{len(cloud.calls)}",
                "Connection": "close",
            }
            if response.error:
                headers["x-amzn-ErrorType"] = response.error
            self.respond(response.status, headers, response.body)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 as http.server names them

    with http_server.serve(Handler) as address:
        try:
            yield address
        finally:
            cloud.over.set()
