"""Tasks that beat starts for the outbox. Each is safe to run twice at once."""

from celery import shared_task
from celery.signals import task_prerun

from shop import picture_files
from shop.core import alerts, clock_skew, emails, sign_ins


@task_prerun.connect
def measure_clock(**_: object) -> None:
    """Compare this worker's clock with the database's, before any task, every few minutes."""
    clock_skew.measure_if_due()


@shared_task(name="shop.send_due_emails", ignore_result=True)
def send_due_emails(**_: object) -> int:
    return emails.send_due()


@shared_task(name="shop.send_due_alerts", ignore_result=True)
def send_due_alerts(**_: object) -> int:
    return alerts.send_due()


@shared_task(name="shop.watch_emails", ignore_result=True)
def watch_emails(**_: object) -> int:
    """Raise an alert while emails stay unsent. It runs on another queue than the emails themselves."""
    return emails.watch()


@shared_task(name="shop.forget_sign_ins", ignore_result=True)
def forget_sign_ins(**_: object) -> int:
    return sign_ins.forget_old()


@shared_task(name="shop.tend_pictures", ignore_result=True)
def tend_pictures(**_: object) -> int:
    picture_files.resolve_alerts()
    return picture_files.replace_uploads() + picture_files.delete_removed()
