"""gunicorn's configuration for every fleet of the Procfile: a fleet that grows or shrinks says so in a line."""

from typing import Any


def nworkers_changed(server: Any, new: int, old: int | None) -> None:
    """Called by the master whenever another number of workers is wanted; at its start there was none before."""
    if old is not None and new != old:
        print(f"{old} → {new} workers", flush=True)
