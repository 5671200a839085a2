"""The two groups of people at the desk and what they may do; made after each migration, never taken from anybody."""

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.management import create_contenttypes

APPS = ("shop", "drops", "scaling", "payments")
# Group: {model: what besides looking at it}. Names and addresses of shoppers are for ops only.
# A pause is begun with "add" and ended with "change". Of pre-scaling all see everything, and ops act.
GOODS = (
    "drop",
    "edition",
    "pause",
    "ceiling",
    "checkpoint",
    "hold",
    "holdline",
    "unit",
    "product",
    "variant",
    "picture",
)
SCALING = ("target", "share", "scaleplan", "step", "demand", "call", "heartbeat")
MONEY = ("order", "payment", "attempt", "event", "ledgerentry", "bucket", "email")
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "merchandisers": dict.fromkeys((*GOODS, *SCALING, "alert", "auditentry"), ())
    | {
        "product": ("add", "change", "delete"),
        "variant": ("add", "change", "delete"),
        "picture": ("add", "change", "delete"),
        "drop": ("add", "change", "delete"),
        "edition": ("add", "change", "delete"),
        "pause": ("add", "change"),
        "scaleplan": ("change",),
    },
    "ops": dict.fromkeys((*GOODS, *SCALING, *MONEY, "alert", "auditentry"), ())
    | {
        "pause": ("add", "change"),
        "ceiling": ("add", "delete"),
        "email": ("change",),
        "payment": ("change",),
        "target": ("add", "change", "delete"),
        "share": ("add", "change", "delete"),
        "scaleplan": ("change",),
        "scaling": ("act_on",),
    },
}


def make(*, using: str = "default", **_: Any) -> None:
    """Make both groups and give each its permissions. What was added by hand stays."""
    for label in APPS:
        # This may run before Django's own handlers have made what the groups are given.
        create_contenttypes(apps.get_app_config(label), verbosity=0, using=using)
        create_permissions(apps.get_app_config(label), verbosity=0, using=using)
    permissions = Permission.objects.using(using).filter(content_type__app_label__in=APPS)
    for name, acts in GROUPS.items():
        group, _made = Group.objects.using(using).get_or_create(name=name)
        codes = [f"{act}_{model}" for model, more in acts.items() for act in ("view", *more)]
        group.permissions.add(*permissions.filter(codename__in=codes))
