"""Lists: pages newest first, filters on time, and expanded fields."""

from collections.abc import Callable
from typing import Any

from . import errors, parameters
from .shapes import Thing
from .store import KINDS, Change, Store

SCHEMA: dict[str, parameters.Check] = {
    "created": parameters.created,
    "ending_before": parameters.text,
    "expand": parameters.listing,
    "limit": parameters.integer,
    "starting_after": parameters.text,
}
PREFIXES = {"ch_": "charge", "pi_": "payment_intent", "pm_": "payment_method"}


def page(
    store: Store,
    *,
    kind: str,
    url: str,
    params: dict[str, Any],
    read: Callable[[str], Thing],
    wanted: Callable[[str], bool] = lambda identity: True,
    within: list[str] | None = None,
) -> Thing:
    """A list object. `within` are the identities to choose from, oldest first; default: all of the kind."""
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise errors.invalid(
            "Invalid limit: must be between 1 and 100.", code="parameter_invalid_integer", param="limit"
        )
    identities = store.order[kind] if within is None else within
    bounds = params.get("created", {})
    backwards = "ending_before" in params
    found: list[str] = []
    for identity in _walk(identities, params, noun=KINDS.get(kind, kind), backwards=backwards):
        created = store.created[identity]
        if not backwards and (created < bounds.get("gte", 0) or created <= bounds.get("gt", -1)):
            break  # all that follow are older
        if _between(created, bounds) and wanted(identity):
            found.append(identity)
            if len(found) > limit:
                break
    shown = found[:limit]
    if backwards:
        shown.reverse()
    return {"object": "list", "data": [read(one) for one in shown], "has_more": len(found) > limit, "url": url}


def _walk(identities: list[str], params: dict[str, Any], *, noun: str, backwards: bool) -> list[str]:
    """Those after the cursor, newest first; those before it, oldest first, when paging backwards."""
    name = "ending_before" if backwards else "starting_after"
    if name not in params:
        return identities[::-1]
    try:
        place = len(identities) - 1 - identities[::-1].index(params[name])
    except ValueError:
        raise errors.missing(noun, params[name], param=name, status=400) from None
    return identities[place + 1 :] if backwards else identities[:place][::-1]


def _between(created: int, bounds: dict[str, int]) -> bool:
    return (
        bounds.get("gte", 0) <= created <= bounds.get("lte", created)
        and created > bounds.get("gt", -1)
        and created < bounds.get("lt", created + 1)
    )


def expand(change: Change, thing: Thing, paths: list[str]) -> Thing:
    """Put objects in the place of their identities. Raises ApiError for what cannot be expanded."""
    for path in paths:
        _expand(change, thing, path, path.split("."))
    return thing


def _expand(change: Change, thing: Thing, path: str, names: list[str]) -> None:
    name, rest = names[0], names[1:]
    value = thing.get(name, KeyError)
    if isinstance(value, str) and value[:3] in PREFIXES:
        value = thing[name] = change.find(PREFIXES[value[:3]], value)
    elif value is not None and not isinstance(value, dict | list):
        raise errors.invalid(f"This property cannot be expanded ({path}).", param="expand")
    for each in value if isinstance(value, list) else [value]:
        if rest and each:
            _expand(change, each, path, rest)
