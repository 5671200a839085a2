"""Tasks of the queue mail."""

from celery import shared_task

from shop.core import outbox


@shared_task(name="shop.send_due_mails", ignore_result=True)
def send_due_mails(**_: object) -> int:
    return outbox.send_due()
