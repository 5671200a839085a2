"""The API's operations: method, path and parameters of each, and the function that runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import confirmation, errors, intents, lists, parameters, refunds, tokens
from .objects import StripeObject
from .store import Transaction


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of an operation."""

    transaction: Transaction
    params: dict[str, Any]
    object_id: str
    """The id in the path, or empty."""
    account: str
    origin: str
    """The sandbox's own, where the bank's page is."""
    livemode: bool
    """True only for a token created with the live publishable key, which no test key can find."""
    is_public: bool
    """Made with the publishable key."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    name: str
    method: str
    path: str
    run: Callable[[Call], StripeObject]
    schema: Mapping[str, parameters.Parser] = field(default_factory=lambda: {"expand": parameters.array})
    required: tuple[str, ...] = ()
    allows_publishable_key: bool = False
    allows_secret_key: bool = True


PUBLIC_INTENT_FIELDS = (
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
"""The fields of an intent that the publishable key may see."""


def create_token(call: Call) -> StripeObject:
    return tokens.create(call.transaction, call.params, account=call.account, livemode=call.livemode)


def retrieve_token(call: Call) -> StripeObject:
    return call.transaction.store.get("confirmation_token", call.object_id, param="confirmation_token")


def retrieve_payment_method(call: Call) -> StripeObject:
    return call.transaction.store.get("payment_method", call.object_id, param="payment_method")


def create_intent(call: Call) -> StripeObject:
    return intents.create(call.transaction, call.params, account=call.account, origin=call.origin)


def retrieve_intent(call: Call) -> StripeObject:
    """The publishable key needs the client secret too, and sees fewer fields."""
    intent = _intent(call)
    if not call.is_public:
        return intent
    if call.livemode or call.params.get("client_secret") != intent["client_secret"]:
        raise errors.resource_missing("payment_intent", call.object_id, param="intent")
    return {name: intent[name] for name in PUBLIC_INTENT_FIELDS}


def list_intents(call: Call) -> StripeObject:
    store = call.transaction.store
    return lists.page(
        store,
        object_type="payment_intent",
        url="/v1/payment_intents",
        params=call.params,
        load=lambda intent_id: store.get("payment_intent", intent_id),
    )


def update_intent(call: Call) -> StripeObject:
    return intents.update(call.transaction, _intent(call), call.params)


def confirm_intent(call: Call) -> StripeObject:
    return confirmation.confirm(
        call.transaction, _intent(call), call.params, account=call.account, origin=call.origin
    )


def capture_intent(call: Call) -> StripeObject:
    return intents.capture(call.transaction, _intent(call), call.params)


def cancel_intent(call: Call) -> StripeObject:
    return intents.cancel(call.transaction, _intent(call), call.params)


def retrieve_charge(call: Call) -> StripeObject:
    return call.transaction.store.get("charge", call.object_id)


def list_charges(call: Call) -> StripeObject:
    store = call.transaction.store
    intent_id = call.params.get("payment_intent")
    charge_ids = None
    if intent_id is not None:
        # Raises ApiError for an unknown intent; one without charges has an empty list.
        store.get("payment_intent", intent_id, param="payment_intent", status=400)
        charge_ids = store.charges_by_intent.get(intent_id, [])
    return lists.page(
        store,
        object_type="charge",
        url="/v1/charges",
        params=call.params,
        load=lambda charge_id: store.get("charge", charge_id),
        ids=charge_ids,
    )


def create_refund(call: Call) -> StripeObject:
    return refunds.create(call.transaction, call.params)


def retrieve_refund(call: Call) -> StripeObject:
    return call.transaction.store.get("refund", call.object_id)


def list_refunds(call: Call) -> StripeObject:
    store = call.transaction.store

    def matches(refund_id: str) -> bool:
        refund = store.get("refund", refund_id)
        wanted = {name: call.params[name] for name in ("charge", "payment_intent") if name in call.params}
        return all(refund[name] == value for name, value in wanted.items())

    return lists.page(
        store,
        object_type="refund",
        url="/v1/refunds",
        params=call.params,
        load=lambda refund_id: store.get("refund", refund_id),
        matches=matches,
    )


def retrieve_event(call: Call) -> StripeObject:
    return call.transaction.store.get_event(call.object_id)


def list_events(call: Call) -> StripeObject:
    store = call.transaction.store
    types = call.params.get("types", [])
    if "type" in call.params:
        types = [call.params["type"]]
    return lists.page(
        store,
        object_type="event",
        url="/v1/events",
        params=call.params,
        load=store.get_event,
        matches=lambda event_id: not types or store.events[event_id].type in types,
    )


def _intent(call: Call) -> StripeObject:
    return call.transaction.store.get("payment_intent", call.object_id, param="intent")


INTENT_PATH = "/v1/payment_intents/{id}"
OPERATIONS = (
    Operation(
        name="confirmation_tokens.create",
        method="POST",
        path="/v1/confirmation_tokens",
        run=create_token,
        schema=tokens.CREATE_SCHEMA,
        allows_publishable_key=True,
        allows_secret_key=False,
    ),
    Operation(
        name="test_helpers.confirmation_tokens.create",
        method="POST",
        path="/v1/test_helpers/confirmation_tokens",
        run=create_token,
        schema=tokens.TEST_HELPER_SCHEMA,
    ),
    Operation(
        name="confirmation_tokens.retrieve",
        method="GET",
        path="/v1/confirmation_tokens/{id}",
        run=retrieve_token,
    ),
    Operation(
        name="payment_methods.retrieve",
        method="GET",
        path="/v1/payment_methods/{id}",
        run=retrieve_payment_method,
    ),
    Operation(
        name="payment_intents.create",
        method="POST",
        path="/v1/payment_intents",
        run=create_intent,
        schema=intents.CREATE_SCHEMA,
        required=("amount", "currency"),
    ),
    Operation(
        name="payment_intents.list",
        method="GET",
        path="/v1/payment_intents",
        run=list_intents,
        schema=lists.LIST_SCHEMA,
    ),
    Operation(
        name="payment_intents.retrieve",
        method="GET",
        path=INTENT_PATH,
        run=retrieve_intent,
        schema={"client_secret": parameters.string, "expand": parameters.array},
        allows_publishable_key=True,
    ),
    Operation(
        name="payment_intents.update",
        method="POST",
        path=INTENT_PATH,
        run=update_intent,
        schema=intents.UPDATE_SCHEMA,
    ),
    Operation(
        name="payment_intents.confirm",
        method="POST",
        path=f"{INTENT_PATH}/confirm",
        run=confirm_intent,
        schema=confirmation.CONFIRM_SCHEMA,
    ),
    Operation(
        name="payment_intents.capture",
        method="POST",
        path=f"{INTENT_PATH}/capture",
        run=capture_intent,
        schema=intents.CAPTURE_SCHEMA,
    ),
    Operation(
        name="payment_intents.cancel",
        method="POST",
        path=f"{INTENT_PATH}/cancel",
        run=cancel_intent,
        schema=intents.CANCEL_SCHEMA,
    ),
    Operation(
        name="refunds.create",
        method="POST",
        path="/v1/refunds",
        run=create_refund,
        schema=refunds.CREATE_SCHEMA,
    ),
    Operation(name="refunds.retrieve", method="GET", path="/v1/refunds/{id}", run=retrieve_refund),
    Operation(
        name="refunds.list",
        method="GET",
        path="/v1/refunds",
        run=list_refunds,
        schema=lists.LIST_SCHEMA | {"charge": parameters.string, "payment_intent": parameters.string},
    ),
    Operation(name="charges.retrieve", method="GET", path="/v1/charges/{id}", run=retrieve_charge),
    Operation(
        name="charges.list",
        method="GET",
        path="/v1/charges",
        run=list_charges,
        schema=lists.LIST_SCHEMA | {"payment_intent": parameters.string},
    ),
    Operation(name="events.retrieve", method="GET", path="/v1/events/{id}", run=retrieve_event),
    Operation(
        name="events.list",
        method="GET",
        path="/v1/events",
        run=list_events,
        schema=lists.LIST_SCHEMA | {"type": parameters.string, "types": parameters.array},
    ),
)
