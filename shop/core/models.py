"""Rows that every app writes: emails to send, alerts for ops, the audit log, what clocks and queues say."""

import uuid
from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from shop.core.fields import ShortenedCharField


class OutboxMessage(models.Model):
    """A message that is a row first. A worker claims it when it is due, sends it, and marks it as sent."""

    LONGEST_WAIT: ClassVar[timedelta] = timedelta(hours=1)  # between two tries
    MAX_TRIES: ClassVar[int] = 32_767  # the column's largest number: years, at one try an hour

    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())  # later while a worker sends it, and after a failure
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)  # given up: it can never be sent as it is
    last_error = models.TextField(blank=True)

    class Meta:
        abstract = True


class Email(OutboxMessage):
    """An email that is to be sent, or was.

    A repeat is recognised by its Message-ID, which is made from the id.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = ShortenedCharField(max_length=40)
    about = ShortenedCharField(max_length=80)  # such as "order:<uuid>"
    to = models.EmailField()
    subject = ShortenedCharField(max_length=200)
    text = models.TextField()
    html = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "about"], name="one_email_of_each_kind_about_one_thing")
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(sent_at=None, failed_at=None), name="emails_to_be_sent"
            ),
            models.Index(fields=["about"], name="emails_by_what_they_are_about"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.about}"


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> "AlertQuerySet":
        return self.filter(resolved_at=None)


class Alert(OutboxMessage):
    """Something that needs a person. The row is sent by webhook; an email is written beside it."""

    LONGEST_WAIT = timedelta(minutes=10)
    MAX_TRIES = 50

    source = ShortenedCharField(max_length=40)  # what raised it: "scaling", "payments", "mail"
    subject = ShortenedCharField(max_length=120)  # "target:3 drift", "drop:0-kg no-go"
    message = models.TextField()
    details = models.JSONField(default=dict)  # names for machines: {"drop": slug, "target": name}
    resolved_at = models.DateTimeField(null=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject"], condition=Q(resolved_at=None), name="one_open_alert_per_subject"
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(sent_at=None, failed_at=None), name="alerts_to_be_sent"
            )
        ]

    def __str__(self) -> str:
        return self.subject


class AuditEntry(models.Model):
    """One action of a person or of the system. Entries are appended, never edited."""

    at = models.DateTimeField(auto_now_add=True)
    # Null means the system itself.
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    about = ShortenedCharField(max_length=80, db_index=True)  # "drop:nth-place"
    action = ShortenedCharField(max_length=40)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = "audit log entry"
        verbose_name_plural = "audit log"

    def __str__(self) -> str:
        return f"{self.about} {self.action}"


class SignIn(models.Model):
    """One try to sign in to the admin, or to change a password there."""

    class Outcome(models.TextChoices):
        FAILED = "failed", "wrong name or password"
        NO_CODE = "no code", "second factor missing or wrong"
        SIGNED_IN = "signed in", "signed in"
        CHANGED = "changed", "password changed"
        CODE = "code", "right code for changing the second factor"

    FAILURES: ClassVar[tuple[str, ...]] = (Outcome.FAILED, Outcome.NO_CODE)

    at = models.DateTimeField(db_default=Now())
    account = models.CharField(max_length=40, editable=False)  # keyed hash of the name that was typed
    name = models.CharField(max_length=150, blank=True)  # of an account that exists; empty for any other
    address = models.GenericIPAddressField()
    network = models.CharField(max_length=49, editable=False)  # the address, or the /64 of an IPv6 address
    browser = models.CharField(max_length=16, blank=True)  # one that had signed in to the account before
    outcome = models.CharField(max_length=20, choices=Outcome, default=Outcome.FAILED)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = "sign-in"
        indexes = [
            models.Index(fields=["account", "at"], name="sign_ins_of_an_account"),
            models.Index(fields=["network", "at"], name="sign_ins_of_a_network"),
            models.Index(fields=["at"], name="sign_ins_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.name or 'unknown name'} {self.outcome}"


class ClockReading(models.Model):
    """How far a machine's clock was from the database's when it was last compared."""

    machine = models.CharField(max_length=255, primary_key=True)  # its host name
    skew_seconds = models.FloatField()  # above 0: the machine's clock is ahead
    read_at = models.DateTimeField()  # by the database's clock

    class Meta:
        ordering = ["machine"]

    def __str__(self) -> str:
        return f"{self.machine} {self.skew_seconds:+.1f} s"


class QueueSuccess(models.Model):
    """When a queue of work last finished something without a fault."""

    queue = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField(db_default=Now())  # by the database's clock

    class Meta:
        ordering = ["queue"]

    def __str__(self) -> str:
        return f"{self.queue} {self.at}"
