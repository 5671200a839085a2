"""What beat asks of drops. Each is safe to run twice at once."""

from celery import shared_task

from drops import holds


@shared_task(name="drops.expire_due_holds", ignore_result=True)
def expire_due_holds(**_: object) -> int:
    """Free the units of holds that lapsed; the gatekeeper counts them as free again."""
    return holds.expire_due()
