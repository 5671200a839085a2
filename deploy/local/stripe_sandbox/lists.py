"""List pages, newest first, with filters by time; and the `expand` parameter."""

from collections.abc import Callable
from typing import Any

from . import errors, parameters
from .objects import StripeObject
from .store import OBJECT_NOUNS, Store, Transaction

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
LIST_SCHEMA: dict[str, parameters.Parser] = {
    "created": parameters.created,
    "ending_before": parameters.string,
    "expand": parameters.array,
    "limit": parameters.integer,
    "starting_after": parameters.string,
}
EXPANDABLE_PREFIXES = {"ch_": "charge", "pi_": "payment_intent", "pm_": "payment_method"}


def page(
    store: Store,
    *,
    object_type: str,
    url: str,
    params: dict[str, Any],
    load: Callable[[str], StripeObject],
    matches: Callable[[str], bool] = lambda object_id: True,
    ids: list[str] | None = None,
) -> StripeObject:
    """Return a list object.

    `ids` are those to choose from, oldest first (default: all of the type); `matches` filters them;
    `load` returns the object of an id.
    """
    limit = params.get("limit", DEFAULT_LIMIT)
    if not 1 <= limit <= MAX_LIMIT:
        raise errors.invalid_request(
            f"Invalid limit: must be between 1 and {MAX_LIMIT}.",
            code="parameter_invalid_integer",
            param="limit",
        )
    if ids is None:
        ids = store.ids[object_type]
    bounds = params.get("created", {})
    backwards = "ending_before" in params
    found: list[str] = []
    for object_id in _after_cursor(ids, params, noun=OBJECT_NOUNS.get(object_type, object_type)):
        created = store.created[object_id]
        if not backwards and _is_too_old(created, bounds):
            break  # the rest is older still
        if _is_within(created, bounds) and matches(object_id):
            found.append(object_id)
        if len(found) > limit:
            break  # one more than the page holds: enough to know that there is more
    shown = found[:limit]
    if backwards:
        shown.reverse()
    return {
        "object": "list",
        "data": [load(object_id) for object_id in shown],
        "has_more": len(found) > limit,
        "url": url,
    }


def _after_cursor(ids: list[str], params: dict[str, Any], *, noun: str) -> list[str]:
    """Return the ids on the page's side of the cursor, nearest first.

    That is the newer ones with `ending_before`, the older ones with `starting_after`, and all without a
    cursor. Raises ApiError if the cursor isn't among the ids.
    """
    if "ending_before" in params:
        name = "ending_before"
    elif "starting_after" in params:
        name = "starting_after"
    else:
        return ids[::-1]
    try:
        # Searched from the end, because cursors are mostly recent.
        position = len(ids) - 1 - ids[::-1].index(params[name])
    except ValueError:
        raise errors.resource_missing(noun, params[name], param=name, status=400) from None
    if name == "ending_before":
        return ids[position + 1 :]
    return ids[:position][::-1]


def _is_too_old(created: int, bounds: dict[str, int]) -> bool:
    return created < bounds.get("gte", 0) or created <= bounds.get("gt", -1)


def _is_too_new(created: int, bounds: dict[str, int]) -> bool:
    return created > bounds.get("lte", created) or created >= bounds.get("lt", created + 1)


def _is_within(created: int, bounds: dict[str, int]) -> bool:
    return not _is_too_old(created, bounds) and not _is_too_new(created, bounds)


def expand(transaction: Transaction, obj: StripeObject, paths: list[str]) -> StripeObject:
    """Replace ids by the objects they name. Raises ApiError for a property that can't be expanded."""
    for path in paths:
        _expand(transaction, obj, path, path.split("."))
    return obj


def _expand(transaction: Transaction, obj: StripeObject, path: str, names: list[str]) -> None:
    name, *rest = names
    # Missing is different from null: a null can be expanded later, an unknown property never.
    value = obj.get(name, KeyError)
    if isinstance(value, str) and value[:3] in EXPANDABLE_PREFIXES:
        value = obj[name] = transaction.get(EXPANDABLE_PREFIXES[value[:3]], value)
    elif value is not None and not isinstance(value, dict | list):
        raise errors.invalid_request(f"This property cannot be expanded ({path}).", param="expand")
    if not rest:
        return
    items = value
    if not isinstance(value, list):
        items = [value]
    for item in items:
        if item:
            _expand(transaction, item, path, rest)
