"""Rows of pre-scaling: targets and what they carry, a drop's preparation and its steps, and what was called."""

from drops.scaling.models.preparation import Demand, Preparation, Step
from drops.scaling.models.records import Alert, Call, Claim, Pulse
from drops.scaling.models.target import Group, Share, Target

__all__ = ["Alert", "Call", "Claim", "Demand", "Group", "Preparation", "Pulse", "Share", "Step", "Target"]
