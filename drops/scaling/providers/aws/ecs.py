"""An ECS service: its bounds in Application Auto Scaling, and its desired count.

Raising a bound doesn't change the count, so both are set.

On the way up the bounds are set first, on the way down last, so that a call that fails half-way leaves a
state which is neither the old nor the new one. Where scaling policies control the service, they set the count
between the bounds.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from drops.scaling.providers.aws.client import REGION, AwsProvider, locator_text, parsing, request_id
from drops.scaling.providers.aws.errors import shortened
from drops.scaling.providers.base import Applied, ApplyRefused, Field, OutcomeUnclear, Reading, State

DIMENSION = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


class EcsService(AwsProvider):
    """`locator`: {"region", "cluster", "service"}. State: {"min", "max", "desired", "steered"}.

    min and max are null where the service is not registered with Application Auto Scaling. `steered` is true
    where scaling policies set the count. `desired` is null in a state for a drop whose count is set by
    policies: any count from min up will do.
    """

    name: ClassVar[str] = "AWS ECS service"
    unit: ClassVar[str] = "tasks"
    fields: ClassVar[tuple[Field, ...]] = (
        REGION,
        Field("cluster", "ECS cluster", "Its name."),
        Field("service", "ECS service", "Its name."),
    )
    lead_seconds: ClassVar[int] = 180
    price_key: ClassVar[str] = "ecs"

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Return region, cluster and service."""
        region, cluster, service = (locator_text(locator, name) for name in ("region", "cluster", "service"))
        return f"aws:ecs:{region}:{cluster}/{service}"

    @property
    def display_name(self) -> str:
        """What the service is called in messages."""
        return f"ECS service {self._path}"

    def read(self) -> Reading:
        """Read count and bounds, and how many tasks the load balancer reports as healthy."""
        service = self._describe_service()
        bounds, has_policies = self._read_bounds()
        with parsing("DescribeServices"):
            desired, running, pending = (
                int(service[f"{name}Count"]) for name in ("desired", "running", "pending")
            )
            healthy = [self._healthy_count(arn) for arn in target_group_arns(service)]
            ready = min([running, *healthy])
            # While a deployment rolls out, more tasks run than are desired.
            is_rolling_out = len(service.get("deployments") or []) > 1
            return Reading(
                state=bounds | {"desired": desired, "steered": has_policies},
                size=desired,
                serving=ready,
                moving=pending > 0 or running < desired or (running > desired and not is_rolling_out),
                message=tasks_message(service, ready=ready, desired=desired),
            )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Raise the lower bound, the count, and the upper bound where it is lower; lower none of them."""
        if baseline["min"] is None:
            return baseline | {"desired": max(size, baseline["desired"])}
        low = max(size, baseline["min"])
        desired = None if baseline["steered"] else max(size, baseline["desired"])
        return baseline | {"min": low, "max": max(low, baseline["max"]), "desired": desired}

    def apply(self, state: State, *, key: str) -> Applied:
        """Set bounds and count, on the way up the bounds first."""
        with parsing("DescribeServices"):
            current = int(self._describe_service()["desiredCount"])
        desired = max(current, state["min"]) if state["desired"] is None else state["desired"]
        if desired >= current:
            ids = [self._set_bounds(state), self._set_count(desired)]
        else:
            ids = [self._set_count(desired), self._set_bounds(state)]
        last_id = next((request for request in reversed(ids) if request), "")
        return Applied(request_id=last_id, message=self.format_size(desired))

    def is_same(self, one: State, other: State) -> bool:
        """Whether bounds and counts are equal. A count set by policies need only be within the bounds."""
        if not one or not other or any(one[name] != other[name] for name in ("min", "max")):
            return False
        counts = [state["desired"] for state in (one, other) if state["desired"] is not None]
        has_policies = len(counts) < 2 or one["steered"] or other["steered"]
        if one["min"] is not None and has_policies:
            return all(one["min"] <= count <= one["max"] for count in counts)
        return bool(one["desired"] == other["desired"])

    def is_ready(self, reading: Reading, state: State) -> bool:
        """Whether the state is reached; where policies set the count, the lower bound must be ready."""
        if state["desired"] is None:
            return self.is_same(reading.state, state) and reading.serving >= state["min"]
        return super().is_ready(reading, state)

    def is_between(self, live: State, *, before: State, after: State) -> bool:
        """Whether the bounds are the old or the new ones, and the count too."""
        bounds = [[state["min"], state["max"]] for state in (before, after)]
        counts = {before["desired"], after["desired"], after["min"], before["min"]}
        return [live["min"], live["max"]] in bounds and live["desired"] in counts

    @property
    def _path(self) -> str:
        return f"{locator_text(self.locator, 'cluster')}/{locator_text(self.locator, 'service')}"

    def _describe_service(self) -> dict[str, Any]:
        """Return what ECS reports about the service.

        Raises ApplyRefused if there is none that has a count.
        """
        cluster, name = locator_text(self.locator, "cluster"), locator_text(self.locator, "service")
        response = self.call("ecs", "describe_services", cluster=cluster, services=[name])
        with parsing("DescribeServices"):
            service: dict[str, Any] = next(iter(response["services"]), {})
            if not service or service["status"] == "INACTIVE":
                raise ApplyRefused(
                    f"There is no ECS service {self._path} in {self.region}. Check both names and the region."
                )
            if service.get("schedulingStrategy") == "DAEMON":
                raise ApplyRefused(
                    f"ECS service {self._path} runs one task per machine, so its count can't be set."
                    " Disable this target."
                )
            return service

    def _read_bounds(self) -> tuple[State, bool]:
        """Return the bounds, and whether policies set the count between them."""
        resource = f"service/{self._path}"
        response = self.call(
            "application-autoscaling", "describe_scalable_targets", ResourceIds=[resource], **DIMENSION
        )
        with parsing("DescribeScalableTargets"):
            targets = [target for target in response["ScalableTargets"] if target["ResourceId"] == resource]
            if not targets:
                return {"min": None, "max": None}, False
            bounds: State = {"min": int(targets[0]["MinCapacity"]), "max": int(targets[0]["MaxCapacity"])}
        response = self.call(
            "application-autoscaling", "describe_scaling_policies", ResourceId=resource, **DIMENSION
        )
        with parsing("DescribeScalingPolicies"):
            return bounds, bool(response["ScalingPolicies"])

    def _healthy_count(self, arn: str) -> int:
        """Return how many targets of a load balancer's target group are healthy."""
        group = f"target group {arn.rpartition('targetgroup/')[2]}"
        response = self.call("elbv2", "describe_target_health", TargetGroupArn=arn, resource_name=group)
        with parsing("DescribeTargetHealth"):
            states = [target["TargetHealth"]["State"] for target in response["TargetHealthDescriptions"]]
            return states.count("healthy")

    def _set_bounds(self, state: State) -> str:
        """Set both bounds, if the service has any; return the request's id."""
        if state["min"] is None:
            return ""
        # Both in one call: AWS refuses a lower bound above the upper one.
        response = self.call(
            "application-autoscaling",
            "register_scalable_target",
            ResourceId=f"service/{self._path}",
            MinCapacity=state["min"],
            MaxCapacity=state["max"],
            **DIMENSION,
        )
        return request_id(response)

    def _set_count(self, desired: int) -> str:
        """Set the count, and read it back; return the request's id.

        Raises OutcomeUnclear if it isn't as set.
        """
        cluster, name = locator_text(self.locator, "cluster"), locator_text(self.locator, "service")
        response = self.call("ecs", "update_service", cluster=cluster, service=name, desiredCount=desired)
        # On the way down, the bounds may only be lowered once the count is.
        with parsing("DescribeServices"):
            observed = int(self._describe_service()["desiredCount"])
        if observed != desired:
            raise OutcomeUnclear(
                f"ECS accepted a count of {desired} for {self._path}, but still reports {observed}. It will"
                " be tried again."
            )
        return request_id(response)


def target_group_arns(service: Mapping[str, Any]) -> list[str]:
    """Return the target groups in which the service's tasks must be healthy."""
    arns = [balancer.get("targetGroupArn") for balancer in service.get("loadBalancers") or []]
    return [arn for arn in arns if arn]


def tasks_message(service: Mapping[str, Any], *, ready: int, desired: int) -> str:
    """Return how many tasks are ready; if too few, also ECS's last event and what to do."""
    message = f"{ready} of {desired} tasks are ready"
    event = str((service.get("events") or [{}])[0].get("message") or "")
    if ready >= desired or "unable" not in event:
        return message
    if "vCPU" in event:
        advice = "Request a higher Fargate vCPU quota in Service Quotas."
    elif any(word in event for word in ("subnet", "ENI", "IP address")):
        advice = "Give the service subnets with free addresses."
    else:
        advice = "See the service's events."
    return f"{message}. {shortened(event)}. {advice}"
