"""A shopper's actions on the pages of a drop."""

from typing import Any

from django.test import Client
from django.urls import reverse

from drops import tokens
from drops.models import Drop
from drops.waitingroom.protocol import tickets
from tests.factories import make_pass


def let_in(client: Client, drop: Drop, **fields: Any) -> tickets.Pass:
    """Set the pass cookie, as the gate does."""
    pass_ = make_pass(drop=drop, **fields)
    client.cookies[f"pass-{drop.slug}"] = tickets.sign_pass(pass_, drop.slug, tokens.keyring("pass"))
    return pass_


def choose(client: Client, drop: Drop, **fields: Any) -> Any:
    """Press Hold."""
    return client.post(reverse("hold", args=[drop.slug]), fields)
