"""Rows of drops: the drop and its editions, units and holds, and the line's checkpoint."""

from drops.models.drop import Drop, Edition, Pause
from drops.models.line import Ceiling, Checkpoint, Leadership
from drops.models.stock import Hold, HoldLine, Unit

__all__ = ["Ceiling", "Checkpoint", "Drop", "Edition", "Hold", "HoldLine", "Leadership", "Pause", "Unit"]
