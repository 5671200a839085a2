"""The API's operations: address, parameters, and what is called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import errors, intents, listing, parameters, tokens
from .shapes import Thing
from .store import Change


@dataclass(frozen=True, kw_only=True)
class Call:
    """What an operation is given."""

    change: Change
    params: dict[str, Any]
    identity: str
    """The object named by the address, or empty."""
    account: str
    livemode: bool
    """True only for a token made with the live publishable key: no test key will find it."""
    public: bool
    """Called with the publishable key."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    name: str
    method: str
    path: str
    run: Callable[[Call], Thing]
    schema: Mapping[str, parameters.Check] = field(default_factory=lambda: {"expand": parameters.listing})
    required: tuple[str, ...] = ()
    public: bool = False
    """The publishable key is enough."""
    secret: bool = True
    """The secret key is let in."""


PUBLIC_FIELDS = (
    "id",
    "object",
    "amount",
    "automatic_payment_methods",
    "canceled_at",
    "cancellation_reason",
    "capture_method",
    "client_secret",
    "confirmation_method",
    "created",
    "currency",
    "description",
    "last_payment_error",
    "livemode",
    "next_action",
    "payment_method",
    "payment_method_types",
    "processing",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "source",
    "status",
)
"""What an intent shows to the publishable key."""


def create_token(call: Call) -> Thing:
    return tokens.create(call.change, call.params, account=call.account, livemode=call.livemode)


def retrieve_token(call: Call) -> Thing:
    return call.change.store.get("confirmation_token", call.identity, param="confirmation_token")


def retrieve_method(call: Call) -> Thing:
    return call.change.store.get("payment_method", call.identity, param="payment_method")


def create_intent(call: Call) -> Thing:
    return intents.create(call.change, call.params, account=call.account)


def retrieve_intent(call: Call) -> Thing:
    """With the publishable key, the client secret must be right, and less is shown."""
    intent = _intent(call)
    if not call.public:
        return intent
    if call.livemode or call.params.get("client_secret") != intent["client_secret"]:
        raise errors.missing("payment_intent", call.identity, param="intent")
    return {name: intent[name] for name in PUBLIC_FIELDS}


def list_intents(call: Call) -> Thing:
    return listing.page(
        call.change.store,
        kind="payment_intent",
        url="/v1/payment_intents",
        params=call.params,
        read=lambda identity: call.change.store.get("payment_intent", identity),
    )


def update_intent(call: Call) -> Thing:
    return intents.update(call.change, _intent(call), call.params)


def confirm_intent(call: Call) -> Thing:
    return intents.confirm(call.change, _intent(call), call.params, account=call.account)


def capture_intent(call: Call) -> Thing:
    return intents.capture(call.change, _intent(call), call.params)


def cancel_intent(call: Call) -> Thing:
    return intents.cancel(call.change, _intent(call), call.params)


def retrieve_charge(call: Call) -> Thing:
    return call.change.store.get("charge", call.identity)


def list_charges(call: Call) -> Thing:
    store, intent = call.change.store, call.params.get("payment_intent")
    if intent is not None:
        store.get("payment_intent", intent, param="payment_intent", status=400)
    return listing.page(
        store,
        kind="charge",
        url="/v1/charges",
        params=call.params,
        read=lambda identity: store.get("charge", identity),
        within=None if intent is None else store.charges_of.get(intent, []),
    )


def retrieve_event(call: Call) -> Thing:
    return call.change.store.event(call.identity)


def list_events(call: Call) -> Thing:
    store, types = call.change.store, call.params.get("types", [])
    if "type" in call.params:
        types = [call.params["type"]]
    return listing.page(
        store,
        kind="event",
        url="/v1/events",
        params=call.params,
        read=store.event,
        wanted=lambda identity: not types or store.events[identity].type in types,
    )


def _intent(call: Call) -> Thing:
    return call.change.store.get("payment_intent", call.identity, param="intent")


INTENT = "/v1/payment_intents/{id}"
OPERATIONS = (
    Operation(
        name="confirmation_tokens.create",
        method="POST",
        path="/v1/confirmation_tokens",
        run=create_token,
        schema=tokens.PUBLIC_SCHEMA,
        public=True,
        secret=False,
    ),
    Operation(
        name="test_helpers.confirmation_tokens.create",
        method="POST",
        path="/v1/test_helpers/confirmation_tokens",
        run=create_token,
        schema=tokens.HELPER_SCHEMA,
    ),
    Operation(
        name="confirmation_tokens.retrieve", method="GET", path="/v1/confirmation_tokens/{id}", run=retrieve_token
    ),
    Operation(name="payment_methods.retrieve", method="GET", path="/v1/payment_methods/{id}", run=retrieve_method),
    Operation(
        name="payment_intents.create",
        method="POST",
        path="/v1/payment_intents",
        run=create_intent,
        schema=intents.CREATE,
        required=("amount", "currency"),
    ),
    Operation(
        name="payment_intents.list",
        method="GET",
        path="/v1/payment_intents",
        run=list_intents,
        schema=listing.SCHEMA,
    ),
    Operation(
        name="payment_intents.retrieve",
        method="GET",
        path=INTENT,
        run=retrieve_intent,
        schema={"client_secret": parameters.text, "expand": parameters.listing},
        public=True,
    ),
    Operation(name="payment_intents.update", method="POST", path=INTENT, run=update_intent, schema=intents.UPDATE),
    Operation(
        name="payment_intents.confirm",
        method="POST",
        path=f"{INTENT}/confirm",
        run=confirm_intent,
        schema=intents.CONFIRM,
    ),
    Operation(
        name="payment_intents.capture",
        method="POST",
        path=f"{INTENT}/capture",
        run=capture_intent,
        schema=intents.CAPTURE,
    ),
    Operation(
        name="payment_intents.cancel",
        method="POST",
        path=f"{INTENT}/cancel",
        run=cancel_intent,
        schema=intents.CANCEL,
    ),
    Operation(name="charges.retrieve", method="GET", path="/v1/charges/{id}", run=retrieve_charge),
    Operation(
        name="charges.list",
        method="GET",
        path="/v1/charges",
        run=list_charges,
        schema=listing.SCHEMA | {"payment_intent": parameters.text},
    ),
    Operation(name="events.retrieve", method="GET", path="/v1/events/{id}", run=retrieve_event),
    Operation(
        name="events.list",
        method="GET",
        path="/v1/events",
        run=list_events,
        schema=listing.SCHEMA | {"type": parameters.text, "types": parameters.listing},
    ),
)
