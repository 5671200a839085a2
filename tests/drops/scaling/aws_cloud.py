"""A stand-in for AWS over HTTP that behaves as AWS can: it lags, refuses, throttles, fails half-way, and lies.

Nothing in it takes time: what lags is further at each look, so that a test ends when it has looked often enough.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.drops.scaling import aws_wire
from tests.drops.scaling.aws_wire import Answer, Asked

REGION = "eu-central-1"
GROUP = "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/web/1"


class AwsError(Exception):
    """What the stand-in refuses."""

    def __init__(self, code: str, said: str = "No.", status: int = 400) -> None:
        super().__init__(code)
        self.code, self.said, self.status = code, said, status


@dataclass
class Service:
    """An ECS service with its scalable target. `room`: how many tasks the quota lets run."""

    desired: int = 2
    running: int = 2
    pace: int = 1000  # tasks started at each look
    room: int = 1000
    why: str = "You've reached the limit on the number of vCPUs you can run concurrently"
    ill: int = 0  # tasks that run and are not healthy
    balanced: bool = False
    least: int | None = 2
    most: int | None = 20
    policies: bool = False
    daemon: bool = False


@dataclass
class Instance:
    """An instance of an RDS cluster. A new class waits `pending` looks, then takes `modifying` looks."""

    klass: str
    tier: int = 1
    wants: str = ""
    pending: int = 0
    modifying: int = 0
    acu: float = 0.5
    others: dict[str, str] = field(default_factory=dict)  # other people's pending changes

    @property
    def status(self) -> str:
        return "modifying" if self.wants and not self.pending else "available"


@dataclass
class Function:
    """A Lambda alias."""

    version: str = "7"
    wanted: int = 0
    there: int = 0
    pace: int = 1000
    gives_up: str = ""


@dataclass
class Fault:
    """What the next calls of an operation meet: an error, "garbage", "hang", "lost" (done, unanswered), or "lie"."""

    kind: str
    said: str
    status: int
    times: int


class Cloud:
    """One account in one region."""

    def __init__(self) -> None:
        self.service = Service()
        self.instances = {"shop-a": Instance("db.r7g.large"), "shop-b": Instance("db.r7g.large")}
        self.writer = "shop-a"
        self.engine = "aurora-postgresql"
        self.range: dict[str, float] | None = {"MinCapacity": 0.5, "MaxCapacity": 16.0}
        self.waiting: dict[str, str] = {}  # the cluster's pending changes
        self.failing_over = 0  # looks until the role has moved
        self.next_writer = ""
        self.slow = 2  # looks that each stage of a change takes
        self.function = Function()
        self.concurrency = 1000  # of the account
        self.faults: dict[str, Fault] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.seen: list[int] = []  # the count of ECS at each call that changes it
        self.writers_resized = 0
        self.over = threading.Event()
        self.lock = threading.Lock()

    def fault(self, operation: str, kind: str, said: str = "No.", *, status: int = 400, times: int = 1) -> None:
        """Let the next calls of an operation fail."""
        self.faults[operation] = Fault(kind, said, status, times)

    def asked(self, *operations: str) -> list[str]:
        """Name the calls that were made, of these operations only."""
        return [name for name, _given in self.calls if name in operations]

    def answer(self, asked: Asked) -> Answer | None:
        """Do what is asked, or what goes wrong instead; None: the answer is lost."""
        with self.lock:
            self.calls.append((asked.operation, asked.given))
            number, fault = len(self.calls), self.faults.get(asked.operation)
            if fault and fault.times:
                fault.times -= 1
            else:
                fault = None
        if fault and fault.kind == "hang":
            self.over.wait(30)
            return None
        with self.lock:
            try:
                return self._answer(asked, fault, number)
            except AwsError as error:
                return aws_wire.error(asked, error.code, error.said, error.status)

    def _answer(self, asked: Asked, fault: Fault | None, number: int) -> Answer | None:
        if fault and fault.kind == "garbage":
            return Answer(200, "text/html", b"<html>Welcome to the hotel's network</html>")
        if fault and fault.kind not in {"lost", "lie"}:
            raise AwsError(fault.kind, fault.said, fault.status)
        if asked.region != REGION and asked.service in {"ecs", "rds", "lambda"}:
            raise AwsError(
                {"ecs": "ClusterNotFoundException", "rds": "DBClusterNotFoundFault"}.get(
                    asked.service, "ResourceNotFoundException"
                ),
                "Not found.",
                404,
            )
        do: Callable[[dict[str, Any], bool], dict[str, Any]] = getattr(self, asked.operation)
        result = do(asked.given, bool(fault and fault.kind == "lie"))
        return None if fault and fault.kind == "lost" else aws_wire.answer(asked, result, number=number)

    # --- ECS and Application Auto Scaling ---------------------------------------------------------------------------
    def DescribeServices(self, given: dict[str, Any], lie: bool) -> dict[str, Any]:  # noqa: N802 as AWS calls it
        service = self.service
        if given["services"] != ["web"]:
            return {"services": [], "failures": [{"reason": "MISSING"}]}
        service.running += max(-service.pace, min(service.pace, service.desired - service.running))
        service.running = min(service.running, service.room)
        return {"services": [self._ecs()]}

    def _ecs(self) -> dict[str, Any]:
        service = self.service
        short = service.desired > service.room
        said = (
            f"(service web) was unable to place a task. Reason: {service.why}." if short else "(service web) is steady."
        )
        return {
            "status": "ACTIVE",
            "desiredCount": service.desired,
            "runningCount": service.running,
            "pendingCount": max(0, min(service.desired, service.room) - service.running),
            "loadBalancers": [{"targetGroupArn": GROUP}] if service.balanced else [],
            "schedulingStrategy": "DAEMON" if service.daemon else "REPLICA",
            "deployments": [{"status": "PRIMARY"}],
            "events": [{"message": said, "createdAt": datetime.now(UTC).timestamp()}],
        }

    def UpdateService(self, given: dict[str, Any], lie: bool) -> dict[str, dict[str, Any]]:  # noqa: N802
        if not lie:
            self.service.desired = given["desiredCount"]
            self.seen.append(self.service.desired)
        return {"service": self._ecs() | {"desiredCount": given["desiredCount"]}}

    def DescribeScalableTargets(self, given: dict[str, Any], lie: bool) -> dict[str, Any]:  # noqa: N802
        if self.service.least is None:
            return {"ScalableTargets": []}
        return {
            "ScalableTargets": [
                given
                | {
                    "ResourceId": given["ResourceIds"][0],
                    "MinCapacity": self.service.least,
                    "MaxCapacity": self.service.most,
                    "RoleARN": "arn:aws:iam::1:role/x",
                    "CreationTime": 0,
                }
            ]
        }

    def DescribeScalingPolicies(self, given: dict[str, str], lie: bool) -> dict[str, list[dict[str, str]]]:  # noqa: N802
        return {"ScalingPolicies": [{"PolicyName": "cpu"}] if self.service.policies else []}

    def RegisterScalableTarget(self, given: dict[str, Any], lie: bool) -> dict[Any, Any]:  # noqa: N802
        least = given.get("MinCapacity", self.service.least)
        most = given.get("MaxCapacity", self.service.most)
        if (least or 0) > (most or 0):
            raise AwsError("ValidationException", "Maximum capacity cannot be less than minimum capacity")
        if not lie:
            self.service.least, self.service.most = least, most
        return {}

    def DescribeTargetHealth(self, given: dict[str, str], lie: bool) -> dict[str, list[dict[str, dict[str, str]]]]:  # noqa: N802
        states = ["initial"] * self.service.ill + ["healthy"] * (self.service.running - self.service.ill)
        self.service.ill = max(0, self.service.ill - 1)
        return {"TargetHealthDescriptions": [{"TargetHealth": {"State": state}} for state in states]}

    # --- RDS and CloudWatch -----------------------------------------------------------------------------------------
    def DescribeDBClusters(self, given: dict[str, str], lie: bool) -> dict[str, list[dict[str, Any]]]:  # noqa: N802
        if given["DBClusterIdentifier"] != "shop":
            raise AwsError("DBClusterNotFoundFault", "DBCluster other not found.", 404)
        self._go_on()
        return {"DBClusters": [self._cluster()]}

    def _go_on(self) -> None:
        """Take each change that is under way one look further."""
        if self.failing_over:
            self.failing_over -= 1
            if not self.failing_over:
                self.writer = self.next_writer
        for instance in self.instances.values():
            if instance.pending:
                instance.pending -= 1
            elif instance.wants:
                instance.modifying -= 1
                if instance.modifying <= 0:
                    instance.klass, instance.wants = instance.wants, ""

    def _cluster(self) -> dict[str, Any]:
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
            "PendingModifiedValues": self.waiting or None,
            "ServerlessV2ScalingConfiguration": self.range,
        }

    def DescribeDBInstances(self, given: dict[str, str], lie: bool) -> dict[str, Any]:  # noqa: N802
        return {
            "DBInstances": [
                {
                    "DBInstanceIdentifier": name,
                    "DBInstanceClass": one.klass,
                    "DBInstanceStatus": one.status,
                    "PendingModifiedValues": one.others | ({"DBInstanceClass": one.wants} if one.wants else {}),
                    "Endpoint": {"Address": f"{name}.x.eu-central-1.rds.amazonaws.com", "Port": 5432},
                }
                for name, one in self.instances.items()
            ]
        }

    def ModifyDBInstance(self, given: dict[str, str], lie: bool) -> dict[str, dict[str, str]]:  # noqa: N802
        name = given["DBInstanceIdentifier"]
        instance = self.instances[name]
        if instance.wants or self.failing_over:
            raise AwsError("InvalidDBInstanceState", "Instance is not available.")
        if given.get("ApplyImmediately") != "true":
            raise AwsError("InvalidParameterCombination", "It would wait for Sunday.")
        if name == self.writer:  # the role goes to a small node, and nobody brings it back
            self.writers_resized += 1
            self.writer = next(other for other in self.instances if other != name)
        if not lie:
            instance.wants, instance.pending, instance.modifying = given["DBInstanceClass"], self.slow, self.slow
        return {"DBInstance": {"DBInstanceIdentifier": name}}

    def FailoverDBCluster(self, given: dict[str, str], lie: bool) -> dict[str, dict[str, str]]:  # noqa: N802
        to = given["TargetDBInstanceIdentifier"]
        if to == self.writer or self.failing_over or any(one.wants for one in self.instances.values()):
            raise AwsError("InvalidDBClusterStateFault", "Not now.")
        if not lie:
            self.next_writer, self.failing_over = to, self.slow
        return {"DBCluster": {"DBClusterIdentifier": "shop"}}

    def ModifyDBCluster(self, given: dict[str, str], lie: bool) -> dict[str, dict[str, str]]:  # noqa: N802
        prefix = "ServerlessV2ScalingConfiguration."
        found = {name.removeprefix(prefix): float(value) for name, value in given.items() if name.startswith(prefix)}
        found |= {name: int(value) for name, value in found.items() if name == "SecondsUntilAutoPause"}
        if found["MinCapacity"] > found["MaxCapacity"] or found["MinCapacity"] * 2 % 1:
            raise AwsError("InvalidParameterValue", "Serverless v2 capacity is invalid.")
        if self.waiting and given["ApplyImmediately"] == "true":
            self.waiting = {}  # other people's change came about
        if not lie:
            self.range = found
        return {"DBCluster": {"DBClusterIdentifier": "shop"}}

    def GetMetricData(self, given: dict[str, Any], lie: bool) -> dict[str, list[dict[str, Any]]]:  # noqa: N802
        results = []
        for query in given["MetricDataQueries"]:
            name = query["MetricStat"]["Metric"]["Dimensions"][0]["Value"]
            instance, least = self.instances[name], (self.range or {"MinCapacity": 0.0})["MinCapacity"]
            instance.acu = min(least, instance.acu * 2) if instance.acu < least else max(least, instance.acu / 2)
            told = {"Id": query["Id"], "Values": [] if lie else [instance.acu, 0.5]}
            results.append(
                told | {"Timestamps": [] if lie else [datetime.now(UTC).timestamp()] * 2, "StatusCode": "Complete"}
            )
        return {"MetricDataResults": results}

    # --- Lambda -----------------------------------------------------------------------------------------------------
    def GetAlias(self, given: dict[str, str], lie: bool) -> dict[str, str]:  # noqa: N802
        if (given["FunctionName"], given["Name"]) != ("pay", "live"):
            raise AwsError("ResourceNotFoundException", f"Cannot find alias {given['Name']}", 404)
        return {"Name": given["Name"], "FunctionVersion": self.function.version}

    def GetProvisionedConcurrencyConfig(self, given: dict[str, str], lie: bool) -> dict[str, Any]:  # noqa: N802
        function = self.function
        if not function.wanted:
            raise AwsError("ProvisionedConcurrencyConfigNotFoundException", "No config found.", 404)
        if not function.gives_up:
            function.there += max(-function.pace, min(function.pace, function.wanted - function.there))
        status = "READY" if function.there == function.wanted else "FAILED" if function.gives_up else "IN_PROGRESS"
        return {
            "RequestedProvisionedConcurrentExecutions": function.wanted,
            "AvailableProvisionedConcurrentExecutions": function.there,
            "Status": status,
            "StatusReason": function.gives_up or None,
        }

    def PutProvisionedConcurrencyConfig(self, given: dict[str, Any], lie: bool) -> dict[str, Any]:  # noqa: N802
        number = given["ProvisionedConcurrentExecutions"]
        if number > self.concurrency - 100:
            said = "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution"
            raise AwsError("InvalidParameterValueException", said)
        if not lie:
            self.function.wanted = number
        return {"RequestedProvisionedConcurrentExecutions": number, "Status": "IN_PROGRESS"}

    def DeleteProvisionedConcurrencyConfig(self, given: dict[str, str], lie: bool) -> dict[Any, Any]:  # noqa: N802
        if not lie:
            self.function.wanted = self.function.there = 0
        return {}


@contextmanager
def serve(cloud: Cloud) -> Iterator[str]:
    """Serve the cloud on a port of this machine; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = aws_wire.parse(method=self.command, path=self.path, headers=self.headers, body=body)
            answer = cloud.answer(asked)
            self.close_connection = True
            if answer is None:
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("x-amzn-RequestId", f"request-{len(cloud.calls)}")
            if answer.error:
                self.send_header("x-amzn-ErrorType", answer.error)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 as http.server names them

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        cloud.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
