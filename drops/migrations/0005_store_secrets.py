"""Store the secrets of drops that were sealed before secrets were stored, so that keys may be rotated."""

from typing import Any

from django.db import migrations

from drops import shuffle_keys
from drops.waitingroom.protocol import places


def store_secrets(apps: Any, _editor: Any) -> None:
    """Store each secret that a key gives. A drop whose key has gone already stays without one."""
    drops = apps.get_model("drops", "Drop").objects.filter(sealed__isnull=False, secret=None)
    for drop in drops.only("pk", "nonce", "commitment"):
        for key in shuffle_keys.keys().values():
            secret = places.secret(key, drop.pk, bytes(drop.nonce))
            if places.commitment(secret) == bytes(drop.commitment):
                apps.get_model("drops", "Drop").objects.filter(pk=drop.pk).update(secret=secret)


class Migration(migrations.Migration):
    dependencies = [("drops", "0004_drop_secret")]

    operations = [migrations.RunPython(store_secrets, migrations.RunPython.noop)]
