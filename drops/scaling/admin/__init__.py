"""Pre-scaling at the desk: targets, preparations with their timelines, and what was called. Everybody sees, ops act."""

from drops.scaling.admin import preparations, records, targets

__all__ = ["preparations", "records", "targets"]
