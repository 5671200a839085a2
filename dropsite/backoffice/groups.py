"""The two groups of admin users and their permissions.

Created after each migration; nothing is ever taken away.
"""

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.management import create_contenttypes

APPS = ("shop", "drops", "scaling", "payments")
# Group: {model: permissions besides "view"}. Shoppers' names and addresses are for ops only. A pause is
# started with "add" and ended with "change". Everyone sees all of pre-scaling; only ops change it.
CATALOGUE_AND_DROPS = (
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
SCALING = ("target", "share", "fixedgroup", "scaleplan", "step", "demand", "call", "heartbeat")
MONEY = ("order", "payment", "attempt", "event", "ledgerentry", "refund", "bucket", "email")
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "merchandisers": dict.fromkeys((*CATALOGUE_AND_DROPS, *SCALING, "alert", "auditentry"), ())
    | {
        "product": ("add", "change", "delete"),
        "variant": ("add", "change", "delete"),
        "picture": ("add", "change", "delete"),
        "drop": ("add", "change", "delete"),
        "edition": ("add", "change", "delete"),
        "pause": ("add", "change"),
        "scaleplan": ("change",),
    },
    "ops": dict.fromkeys((*CATALOGUE_AND_DROPS, *SCALING, *MONEY, "alert", "auditentry", "signin"), ())
    | {
        "pause": ("add", "change"),
        "ceiling": ("add", "delete"),
        "email": ("change",),
        "payment": ("change",),
        "refund": ("add",),
        "target": ("add", "change", "delete"),
        "share": ("add", "change", "delete"),
        "fixedgroup": ("add", "change", "delete"),
        "scaleplan": ("change",),
        "scaling": ("act_on",),
    },
}


def create_groups(*, using: str = "default", **_: Any) -> None:
    """Create both groups with their permissions. Permissions that were added by hand stay."""
    for label in APPS:
        # This may run before Django's own handlers have created the permissions.
        create_contenttypes(apps.get_app_config(label), verbosity=0, using=using)
        create_permissions(apps.get_app_config(label), verbosity=0, using=using)
    permissions = Permission.objects.using(using).filter(content_type__app_label__in=APPS)
    for name, models in GROUPS.items():
        group, _created = Group.objects.using(using).get_or_create(name=name)
        codes = [f"{action}_{model}" for model, more in models.items() for action in ("view", *more)]
        group.permissions.add(*permissions.filter(codename__in=codes))
