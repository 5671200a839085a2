"""What a role may see also limits its search, filters, columns and the lookups in an address.

A search that finds a row by a value tells that value, one letter at a time. So a path that leads to rows of
another model needs the permission to view that model.
"""

from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.db.models.constants import LOOKUP_SEP

SEARCH_PREFIXES = "^=@"  # Django's marks for how a search field is compared


def may_view(user: Any, model: type[Model]) -> bool:
    """Whether a person may view the rows of a model."""
    options = model._meta
    return any(
        user.has_perm(f"{options.app_label}.{action}_{options.model_name}") for action in ("view", "change")
    )


def may_follow(user: Any, model: type[Model], path: str) -> bool:
    """Whether a person may view every other model that a lookup such as `order__email` leads to."""
    for name in path.lstrip(SEARCH_PREFIXES).split(LOOKUP_SEP):
        try:
            field = field_of(model, name)
        except FieldDoesNotExist:  # a comparison such as `startswith`, or an annotation of our own
            return True
        related = field.related_model
        if not isinstance(related, type):
            return True
        if not may_view(user, related):
            return False
        model = related
    return True


def field_of(model: type[Model], name: str) -> Any:
    """Return a model's field by its name in a lookup. Raises FieldDoesNotExist."""
    # "pk" stands for the primary key, which may lead to another model, as a scale plan's does to its drop.
    if name == "pk":
        return model._meta.pk
    return model._meta.get_field(name)


def first_name(path: str) -> str:
    """Return the name of the model's own field that a lookup begins with."""
    return path.lstrip(SEARCH_PREFIXES).split(LOOKUP_SEP)[0]
