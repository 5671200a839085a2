"""Pre-scaling at the desk: targets, preparations with their timelines, and what was called. Everybody sees, ops act."""

from drops.scaling.admin import records, scale_plans, targets

__all__ = ["records", "scale_plans", "targets"]
