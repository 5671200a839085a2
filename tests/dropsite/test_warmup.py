"""Preparations before a process's first request."""

import gc
from typing import Any

from django.template import engines

from dropsite import warmup


def test_the_shoppers_templates_are_compiled_and_the_desks_are_not() -> None:
    backend: Any = engines["django"]
    cached = backend.engine.template_loaders[0].get_template_cache
    cached.clear()

    warmup.warm()
    frozen = gc.get_freeze_count()
    gc.unfreeze()

    assert frozen > 0
    assert {"drops/pick.html", "payments/checkout.html", "payments/order.html", "base.html"} <= set(cached)
    assert not any(name.startswith(("admin/", "gate/", "mail/")) for name in cached)
