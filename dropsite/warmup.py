"""Prepare what the first request would otherwise wait for: URLs, templates, validators."""

import gc
from pathlib import Path

from django.conf import settings
from django.core.validators import validate_email
from django.template.loader import get_template
from django.urls import reverse

NOT_FOR_SHOPPERS = {"admin", "gate", "mail"}  # template folders: admin, the gate's own engine, emails


def warm() -> None:
    """Load the URLs, compile the shoppers' templates and the validators of their forms."""
    reverse("front")
    validate_email("shopper@shop.example")
    for folder in map(Path, settings.TEMPLATES[0]["DIRS"]):
        for path in sorted(folder.rglob("*.html")):
            name = path.relative_to(folder)
            if name.parts[0] not in NOT_FOR_SHOPPERS:
                get_template(str(name))
    gc.collect()
    gc.freeze()  # everything so far lives as long as the process: later collections needn't scan it
