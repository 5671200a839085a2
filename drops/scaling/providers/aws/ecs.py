"""An ECS service: the bounds of Application Auto Scaling, and the count itself, which raising a bound does not move.

On the way up the bounds come first, on the way down last, so that a call that failed half-way leaves a state that is
neither the old nor the new. Where scaling policies steer the service, the count between the bounds is theirs.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drops.scaling.providers.aws.client import REGION, Aws, request_id, text, understood
from drops.scaling.providers.aws.errors import shortened
from drops.scaling.providers.base import Applied, ApplyRefused, Field, OutcomeUnclear, Reading, State

DIMENSION = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


class EcsService(Aws):
    """`locator`: {"region", "cluster", "service"}. State: {"min", "max", "desired", "steered"}.

    min and max are null where the service is not registered with Application Auto Scaling. `steered`: policies move the
    count. `desired` is null where any count from min on will do: steered, and asked for a drop.
    """

    name: ClassVar[str] = gettext_noop("AWS ECS service")
    unit: ClassVar[str] = gettext_noop("tasks")
    fields: ClassVar[tuple[Field, ...]] = (
        REGION,
        Field("cluster", gettext_noop("ECS cluster"), gettext_noop("Its name.")),
        Field("service", gettext_noop("ECS service"), gettext_noop("Its name.")),
    )
    lead_seconds: ClassVar[int] = 180
    price_key: ClassVar[str] = "ecs"

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Name region, cluster and service."""
        return f"aws:ecs:{text(locator, 'region')}:{text(locator, 'cluster')}/{text(locator, 'service')}"

    @property
    def display_name(self) -> str:
        """Say which service."""
        return _("ECS service %(name)s") % {"name": self._path}

    def read(self) -> Reading:
        """Read counts and bounds, and how many of the tasks the load balancer finds healthy."""
        service = self._service()
        bounds, steered = self._bounds()
        with understood("DescribeServices"):
            desired, running, pending = (int(service[f"{name}Count"]) for name in ("desired", "running", "pending"))
            healthy = [self._healthy(group) for group in target_groups(service)]
            serving = min([running, *healthy])
            rolling = len(service.get("deployments") or []) > 1
            return Reading(
                state=bounds | {"desired": desired, "steered": steered},
                size=desired,
                serving=serving,
                moving=pending > 0 or running < desired or (running > desired and not rolling),
                message=words_of(service, serving=serving, desired=desired),
            )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Raise the lower bound, the upper one with it where it lies lower, and the count; lower nothing."""
        if baseline["min"] is None:
            return baseline | {"desired": max(size, baseline["desired"])}
        low = max(size, baseline["min"])
        return baseline | {
            "min": low,
            "max": max(low, baseline["max"]),
            "desired": None if baseline["steered"] else max(size, baseline["desired"]),
        }

    def apply(self, state: State, *, key: str) -> Applied:
        """Set bounds and count, on the way up the bounds first."""
        with understood("DescribeServices"):
            now = int(self._service()["desiredCount"])
        wanted = max(now, state["min"]) if state["desired"] is None else state["desired"]
        steps = [self._bound, self._count] if wanted >= now else [self._count, self._bound]
        told = [step(state, wanted) for step in steps]
        return Applied(request_id=next((one for one in reversed(told) if one), ""), message=self.format_size(wanted))

    def is_same(self, one: State, other: State) -> bool:
        """Whether the bounds are equal, and the count, or, where policies steer it, lies between them."""
        if not one or not other or any(one[name] != other[name] for name in ("min", "max")):
            return False
        counts = [state["desired"] for state in (one, other) if state["desired"] is not None]
        if one["min"] is not None and (len(counts) < 2 or one["steered"] or other["steered"]):
            return all(one["min"] <= count <= one["max"] for count in counts)
        return bool(one["desired"] == other["desired"])

    def is_ready(self, reading: Reading, state: State) -> bool:
        """Whether it stands; where policies steer it, enough that as many serve as the lower bound says."""
        if state["desired"] is None:
            return self.is_same(reading.state, state) and reading.serving >= state["min"]
        return super().is_ready(reading, state)

    def is_between(self, live: State, *, before: State, after: State) -> bool:
        """Whether each of bounds and count is the old or the new one."""
        bounds = [[state["min"], state["max"]] for state in (before, after)]
        counts = {before["desired"], after["desired"], after["min"], before["min"]}
        return [live["min"], live["max"]] in bounds and live["desired"] in counts

    @property
    def _path(self) -> str:
        return f"{text(self.locator, 'cluster')}/{text(self.locator, 'service')}"

    def _service(self) -> dict[str, Any]:
        """Read the service. Raises: Refused, if there is none, or one whose tasks can't be counted."""
        cluster, service = text(self.locator, "cluster"), text(self.locator, "service")
        answer = self.call("ecs", "describe_services", cluster=cluster, services=[service])
        with understood("DescribeServices"):
            found: dict[str, Any] = next(iter(answer["services"]), {})
            if not found or found["status"] == "INACTIVE":
                raise ApplyRefused(
                    _("There is no ECS service %(name)s in %(region)s. Look whether a name or the region is wrong.")
                    % {"name": self._path, "region": self.region}
                )
            if found.get("schedulingStrategy") == "DAEMON":
                raise ApplyRefused(
                    _("ECS service %(name)s runs one task per machine, and can't be counted. Disable this target.")
                    % {"name": self._path}
                )
            return found

    def _bounds(self) -> tuple[State, bool]:
        """Read the bounds, and whether policies steer the count between them."""
        resource = f"service/{self._path}"
        answer = self.call("application-autoscaling", "describe_scalable_targets", ResourceIds=[resource], **DIMENSION)
        with understood("DescribeScalableTargets"):
            found = [target for target in answer["ScalableTargets"] if target["ResourceId"] == resource]
            if not found:
                return {"min": None, "max": None}, False
            bounds: State = {"min": int(found[0]["MinCapacity"]), "max": int(found[0]["MaxCapacity"])}
        answer = self.call("application-autoscaling", "describe_scaling_policies", ResourceId=resource, **DIMENSION)
        with understood("DescribeScalingPolicies"):
            return bounds, bool(answer["ScalingPolicies"])

    def _healthy(self, group: str) -> int:
        name = group.rpartition("targetgroup/")[2]
        answer = self.call(
            "elbv2", "describe_target_health", TargetGroupArn=group, thing=_("target group %(name)s") % {"name": name}
        )
        with understood("DescribeTargetHealth"):
            return sum(one["TargetHealth"]["State"] == "healthy" for one in answer["TargetHealthDescriptions"])

    def _bound(self, state: State, _wanted: int) -> str:
        """Set both bounds in one call: alone, a lower one above the upper one is refused."""
        if state["min"] is None:
            return ""
        bounds = {"MinCapacity": state["min"], "MaxCapacity": state["max"]}
        resource = f"service/{self._path}"
        return request_id(
            self.call("application-autoscaling", "register_scalable_target", ResourceId=resource, **bounds, **DIMENSION)
        )

    def _count(self, _state: State, wanted: int) -> str:
        """Set the count, and read it back: on the way down the bounds may only go once it stands."""
        cluster, service = text(self.locator, "cluster"), text(self.locator, "service")
        answer = self.call("ecs", "update_service", cluster=cluster, service=service, desiredCount=wanted)
        with understood("DescribeServices"):
            stands = int(self._service()["desiredCount"])
        if stands != wanted:
            raise OutcomeUnclear(
                _("ECS accepted a count of %(wanted)s for %(name)s and still says %(stands)s. It is asked again.")
                % {"wanted": wanted, "name": self._path, "stands": stands}
            )
        return request_id(answer)


def target_groups(service: Mapping[str, Any]) -> list[str]:
    """Name the target groups in which the service's tasks must be healthy."""
    return [one["targetGroupArn"] for one in service.get("loadBalancers") or [] if one.get("targetGroupArn")]


def words_of(service: Mapping[str, Any], *, serving: int, desired: int) -> str:
    """Say how many serve; if too few, also what ECS says last, and what helps."""
    told = _("%(serving)s of %(desired)s tasks serve") % {"serving": serving, "desired": desired}
    said = str((service.get("events") or [{}])[0].get("message") or "")
    if serving >= desired or "unable" not in said:
        return told
    if "vCPU" in said:
        help_ = _("Have the Fargate vCPU quota raised in Service Quotas.")
    elif any(word in said for word in ("subnet", "ENI", "IP address")):
        help_ = _("Give the service subnets with free addresses.")
    else:
        help_ = _("See the events of the service.")
    return f"{told}. {shortened(said)}. {help_}"
