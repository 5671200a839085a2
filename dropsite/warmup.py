"""What a process makes once, for its first request: made before, so that nobody waits for it at the opening."""

import gc
from pathlib import Path

from django.conf import settings
from django.core.validators import validate_email
from django.template.loader import get_template
from django.urls import reverse

OTHERS = {"admin", "gate", "mail"}  # folders of templates: of the desk, of the gate's own engine, of workers


def warm() -> None:
    """Read the table of addresses, compile the shoppers' templates and what their forms are checked with."""
    reverse("front")
    validate_email("shopper@shop.example")
    for folder in map(Path, settings.TEMPLATES[0]["DIRS"]):
        for path in sorted(folder.rglob("*.html")):
            name = path.relative_to(folder)
            if name.parts[0] not in OTHERS:
                get_template(str(name))
    gc.collect()
    gc.freeze()  # what lives as long as the process is not looked through for garbage again and again
