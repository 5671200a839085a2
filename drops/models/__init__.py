"""Rows of drops: the drop and its editions, units and holds, and the line's checkpoint."""

from drops.models.drop import Drop, Edition, Pause
from drops.models.stock import Hold, HoldLine, Unit
from drops.models.waiting_room import Ceiling, Checkpoint, Leadership

__all__ = ["Ceiling", "Checkpoint", "Drop", "Edition", "Hold", "HoldLine", "Leadership", "Pause", "Unit"]
