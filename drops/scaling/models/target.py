"""Targets: what can be pre-scaled, and which part of each group's demand it carries."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Group(models.TextChoices):
    """The groups that carry a drop's crowd: the Procfile's, and the two data stores."""

    EDGE = "edge", _("edge")
    GATE = "gate", _("gate")
    WEB = "web", _("web")
    HOOKS = "hooks", _("hooks")
    CHECKOUT = "checkout", _("checkout")
    CAPTURE = "capture", _("capture")
    DATABASE = "database", _("database")
    LINE_REDIS = "line redis", _("line Redis")


class Target(models.Model):
    """Something of which there can be more: a fleet, a service, a database. Credentials are never in a row.

    `baseline` is written by the first lease, restored and cleared by the last. `asked` is committed before the call
    that asks for it, so that a crash between call and commit finds its own doing and not somebody else's.
    """

    name = models.CharField(_("name"), max_length=80, unique=True)
    kind = models.CharField(_("kind"), max_length=30)  # a key of drops.scaling.providers.PROVIDERS
    where = models.JSONField(_("where"), default=dict)  # what the kind's form asks for: names, addresses, regions
    resource = models.CharField(max_length=300, unique=True, editable=False)  # what it is, made of `where` by its kind
    enabled = models.BooleanField(_("enabled"), default=True)

    floor = models.PositiveIntegerField(_("floor"), default=1, help_text=_("It is never planned smaller."))
    ceiling = models.PositiveIntegerField(_("ceiling"), help_text=_("It can't be larger: quota, addresses, machine."))
    ops_ceiling = models.PositiveIntegerField(
        _("ops' ceiling"), null=True, blank=True, help_text=_("Beyond this a plan waits for a yes from ops.")
    )
    headroom_percent = models.PositiveSmallIntegerField(_("headroom in percent"), default=30)
    zones = models.PositiveSmallIntegerField(
        _("zones"), default=1, validators=[MinValueValidator(1), MaxValueValidator(6)],
        help_text=_("Over how many zones it is spread; from two on, the loss of one is planned for."),
    )  # fmt: skip
    lead_seconds = models.PositiveIntegerField(
        _("least lead time in seconds"), help_text=_("It may be learned to be longer, never shorter.")
    )
    connections = models.PositiveIntegerField(
        _("database connections of one instance"), default=0, help_text=_("Processes × pool size.")
    )
    connection_limit = models.PositiveIntegerField(
        _("connections that one unit of size allows"), default=0, help_text=_("For databases; 0: not limited by size.")
    )
    price_per_hour = models.DecimalField(
        _("price of one instance per hour"), max_digits=10, decimal_places=5, null=True, blank=True,
        help_text=_("Empty: from the price table."),
    )  # fmt: skip

    baseline = models.JSONField(null=True, editable=False)  # a state, as its kind reads it
    baseline_size = models.PositiveIntegerField(null=True, editable=False)
    asked = models.JSONField(null=True, editable=False)
    asked_size = models.PositiveIntegerField(null=True, editable=False)
    asked_at = models.DateTimeField(null=True, editable=False)
    before = models.JSONField(null=True, editable=False)  # what stood when `asked` was asked for: ours too until READY
    seen = models.JSONField(null=True, editable=False)  # the last reading: size, serving, moving, words
    seen_at = models.DateTimeField(null=True, editable=False)
    ready_size = models.PositiveIntegerField(null=True, editable=False)  # last verified: what served when last read
    busy_until = models.DateTimeField(null=True, editable=False)  # one tick at a time works on it
    failures = models.PositiveSmallIntegerField(default=0, editable=False)  # in a row
    retry_at = models.DateTimeField(null=True, editable=False)
    fault = models.CharField(max_length=300, blank=True, editable=False)
    stopped_at = models.DateTimeField(null=True, editable=False)  # by drift: nothing is asked of it until ops say so
    stopped_reason = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("scale target"), _("scale targets")
        constraints = [
            models.CheckConstraint(name="a_floor_is_not_above_its_ceiling", condition=Q(floor__lte=F("ceiling"))),
            models.CheckConstraint(
                name="ops_ceiling_lies_below_the_ceiling",
                condition=Q(ops_ceiling=None) | Q(ops_ceiling__lte=F("ceiling")),
            ),
            models.CheckConstraint(
                name="a_baseline_has_its_size",
                condition=Q(baseline=None, baseline_size=None) | Q(baseline__isnull=False, baseline_size__isnull=False),
            ),
            models.CheckConstraint(
                name="a_stopped_target_has_its_reason",
                condition=Q(stopped_at=None, stopped_reason="") | (Q(stopped_at__isnull=False) & ~Q(stopped_reason="")),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Share(models.Model):
    """How much of a group's demand a target carries, and how much of it one instance can do: the group's weight."""

    target = models.ForeignKey(Target, models.CASCADE, related_name="shares")
    group = models.CharField(_("group"), max_length=12, choices=Group)
    percent = models.PositiveSmallIntegerField(
        _("share of the group's demand in percent"), default=100,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )  # fmt: skip
    per_second = models.DecimalField(
        _("requests a second that one instance can do"), max_digits=10, decimal_places=2,
        help_text=_("Measured. Tasks for workers, statements for a database, commands for Redis."),
    )  # fmt: skip

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["target", "group"], name="one_share_per_target_and_group"),
            models.CheckConstraint(name="an_instance_can_do_something", condition=Q(per_second__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.percent} % of {self.group}"
