"""Rows of pre-scaling: targets and what they carry, scale plans and their steps, and records."""

from drops.scaling.models.plan import Demand, ScalePlan, Step
from drops.scaling.models.records import Call, Heartbeat, Usage
from drops.scaling.models.target import FixedGroup, Group, Share, Target

__all__ = [
    "Call",
    "Demand",
    "FixedGroup",
    "Group",
    "Heartbeat",
    "ScalePlan",
    "Share",
    "Step",
    "Target",
    "Usage",
]
