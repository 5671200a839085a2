"""Celery tasks of drops, started by beat. Each is safe to run twice at once."""

from celery import shared_task

from drops import holds


@shared_task(name="drops.expire_due_holds", ignore_result=True)
def expire_due_holds(**_: object) -> int:
    """Release the holds that have lapsed, so that their units are free again; return how many."""
    return holds.expire_due()
