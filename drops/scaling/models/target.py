"""Scale targets: what can be scaled, and which part of each group's demand they carry."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from shop.core.fields import ShortenedCharField


class Group(models.TextChoices):
    """The groups that serve a drop: the Procfile's, and the two data stores."""

    EDGE = "edge", "edge"
    GATE = "gate", "gate"
    WEB = "web", "web"
    HOOKS = "hooks", "hooks"
    CHECKOUT = "checkout", "checkout"
    CAPTURE = "capture", "capture"
    DATABASE = "database", "database"
    LINE_REDIS = "line redis", "line Redis"


class Target(models.Model):
    """Something that can be scaled: a fleet, a service, a database. A row never holds credentials.

    The first lease writes the baseline; the last one restores it and clears it. The desired state is
    committed before the provider is called, so that a crash in between finds its own change and not somebody
    else's.
    """

    name = models.CharField(max_length=80, unique=True)
    provider = models.CharField(max_length=30)  # a key of drops.scaling.providers.PROVIDERS
    locator = models.JSONField(default=dict)  # the provider's own fields: names, addresses, regions
    resource = models.CharField(
        max_length=300, unique=True, editable=False
    )  # made of the locator by the provider
    enabled = models.BooleanField(default=True)

    floor = models.PositiveIntegerField(default=1, help_text="Plans never go below this size.")
    ceiling = models.PositiveIntegerField(
        help_text="Hard maximum set by quota, IP addresses or machine size."
    )
    ops_ceiling = models.PositiveIntegerField(
        "ops' ceiling", null=True, blank=True, help_text="Above this size, a plan needs approval from ops."
    )
    headroom_percent = models.PositiveSmallIntegerField("headroom in percent", default=30)
    zones = models.PositiveSmallIntegerField(
        "availability zones",
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(6)],
        help_text="How many zones it is spread over. With two or more, plans allow for the loss of one.",
    )
    lead_seconds = models.PositiveIntegerField(
        "minimum lead time in seconds", help_text="Measured lead times can raise this, never lower it."
    )
    connections = models.PositiveIntegerField(
        "database connections per instance", default=0, help_text="Processes × pool size."
    )
    connection_limit = models.PositiveIntegerField(
        "connections allowed per unit of size",
        default=0,
        help_text="For databases; 0: the size sets no limit.",
    )
    price_per_hour = models.DecimalField(
        "price per instance and hour",
        max_digits=10,
        decimal_places=5,
        null=True,
        blank=True,
        help_text="In US dollars. Leave empty to use the price table.",
    )

    baseline = models.JSONField(null=True, editable=False)  # a state, as the provider reads it
    baseline_size = models.PositiveIntegerField(null=True, editable=False)
    desired = models.JSONField(null=True, editable=False)
    desired_size = models.PositiveIntegerField(null=True, editable=False)
    desired_at = models.DateTimeField(null=True, editable=False)
    # A list of states: those that may still be observed until `desired` is ready. They count as ours.
    previous = models.JSONField(null=True, editable=False)
    observed = models.JSONField(
        null=True, editable=False
    )  # the last reading: state, size, serving, moving, message
    observed_at = models.DateTimeField(null=True, editable=False)
    ready_size = models.PositiveIntegerField(
        null=True, editable=False
    )  # instances that served at the last reading
    locked_until = models.DateTimeField(null=True, editable=False)  # one tick at a time works on a target
    failures = models.PositiveSmallIntegerField(default=0, editable=False)  # in a row
    retry_at = models.DateTimeField(null=True, editable=False)
    error = ShortenedCharField(max_length=300, blank=True, editable=False)
    stopped_at = models.DateTimeField(
        null=True, editable=False
    )  # by drift: nothing is applied until ops decide
    stopped_reason = ShortenedCharField(max_length=300, blank=True, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = "scale target", "scale targets"
        constraints = [
            models.CheckConstraint(
                name="a_floor_is_not_above_its_ceiling", condition=Q(floor__lte=F("ceiling"))
            ),
            models.CheckConstraint(
                name="ops_ceiling_is_not_above_the_ceiling",
                condition=Q(ops_ceiling=None) | Q(ops_ceiling__lte=F("ceiling")),
            ),
            models.CheckConstraint(
                name="a_baseline_has_its_size",
                condition=Q(baseline=None, baseline_size=None)
                | Q(baseline__isnull=False, baseline_size__isnull=False),
            ),
            models.CheckConstraint(
                name="a_stopped_target_has_its_reason",
                condition=Q(stopped_at=None, stopped_reason="")
                | (Q(stopped_at__isnull=False) & ~Q(stopped_reason="")),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class FixedGroup(models.Model):
    """Ops' statement, in the place of a target, that a group isn't scaled: it serves drops as it stands."""

    group = models.CharField(max_length=12, choices=Group, unique=True)
    per_second = models.DecimalField(
        "requests per second",
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="What it can take as it stands. Leave empty if no drop can exceed it.",
    )
    reason = models.CharField(max_length=200, help_text="Why it isn't scaled, such as “behind a CDN”.")

    class Meta:
        ordering = ["group"]
        verbose_name, verbose_name_plural = "fixed group", "fixed groups"
        constraints = [
            models.CheckConstraint(
                name="a_fixed_group_has_a_throughput_or_no_limit",
                condition=Q(per_second=None) | Q(per_second__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return str(self.get_group_display())


class Share(models.Model):
    """A target's part of a group's demand, and the throughput of one instance: the group's weight."""

    target = models.ForeignKey(Target, models.CASCADE, related_name="shares")
    group = models.CharField(max_length=12, choices=Group)
    percent = models.PositiveSmallIntegerField(
        "share of the group's demand in percent",
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    per_second = models.DecimalField(
        "requests per second and instance",
        max_digits=10,
        decimal_places=2,
        help_text="Measured. For workers: tasks; for a database: statements; for Redis: commands.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["target", "group"], name="one_share_per_target_and_group"),
            models.CheckConstraint(name="an_instance_has_a_throughput", condition=Q(per_second__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.percent} % of {self.group}"
