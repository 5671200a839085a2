"""Pre-scaling in the admin: targets, scale plans, and calls. All staff may look, ops may act."""

from drops.scaling.admin import fixed_groups, records, scale_plans, targets

__all__ = ["fixed_groups", "records", "scale_plans", "targets"]
