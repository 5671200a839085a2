"""The sandbox's state, held in memory. Only a Transaction changes it, committed as one record of the log.

Objects are held as JSON text. Events and idempotent responses are written once and rarely read, so memory
holds only their location in the write-ahead log. Nothing here awaits: other requests see all of a transaction
or nothing of it.
"""

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from . import errors, objects
from .objects import StripeObject
from .wal import Location, WriteAheadLog

IDEMPOTENCY_KEY_SECONDS = 24 * 3600
EVENT_RETENTION_SECONDS = 30 * 86400
OBJECT_NOUNS = {
    "payment_intent": "payment_intent",
    "charge": "charge",
    "payment_method": "PaymentMethod",
    "confirmation_token": "confirmation_token",
    "refund": "refund",
}
"""The object types that are held as text, and the noun for each in Stripe's `No such …`."""


class SavedResponse(NamedTuple):
    """The response that an idempotency key keeps. Its body is in the log."""

    path: str
    fingerprint: str
    status: int
    request_id: str
    saved_at: int
    location: Location


class EventLocation(NamedTuple):
    """An event's type, and where in the log the event is."""

    type: str
    location: Location


class Entry(NamedTuple):
    kind: str
    payload: Any
    text: str
    """The payload as JSON."""


class Transaction:
    """Collects the changes of one request, to be committed by the store or discarded."""

    def __init__(self, store: "Store", *, request_id: str = "", idempotency_key: str | None = None) -> None:
        self.store = store
        self.entries: list[Entry] = []
        self.pending_events: dict[str, str] = {}
        """Events to deliver once the transaction is on disk: id → body as it will be sent."""
        self._request = {"id": request_id or None, "idempotency_key": idempotency_key}

    def save(self, obj: StripeObject, *, test_card: str | None = None) -> None:
        """Store the object as it is now. `test_card` names the card behind a payment method or token."""
        self._add(obj["object"], obj)
        if test_card:
            self._add("card", [obj["id"], test_card])

    def emit(self, event_type: str, obj: StripeObject) -> None:
        """Create an event with the object as it is now."""
        pending = self.store.is_subscribed(event_type)
        event = objects.new(
            "event",
            id=objects.new_id("evt_"),
            data={"object": obj},
            pending_webhooks=int(pending),
            request=self._request,
            type=event_type,
        )
        body = self._add("event", event)
        if pending:
            self.pending_events[event["id"]] = body

    def get(self, object_type: str, object_id: str) -> StripeObject:
        """Return the object as this transaction leaves it. Raises ApiError if there is none."""
        for entry in reversed(self.entries):
            if entry.kind == object_type and entry.payload["id"] == object_id:
                obj: StripeObject = json.loads(entry.text)
                return obj
        return self.store.get(object_type, object_id)

    def save_response(self, response: dict[str, Any]) -> None:
        """Keep the response for its idempotency key."""
        self._add("response", response)

    def _add(self, kind: str, payload: Any) -> str:
        text = objects.to_json(payload)
        self.entries.append(Entry(kind, payload, text))
        return text


class Store:
    """`subscribed`: the event types that are delivered. An empty set means all of them, None means none."""

    def __init__(self, wal: WriteAheadLog, *, subscribed: frozenset[str] | None) -> None:
        self.wal = wal
        self.subscribed = subscribed
        self.json_by_id: dict[str, dict[str, str]] = {object_type: {} for object_type in OBJECT_NOUNS}
        self.ids: dict[str, list[str]] = {object_type: [] for object_type in (*OBJECT_NOUNS, "event")}
        """The ids of each object type, in order of creation."""
        self.created: dict[str, int] = {}
        self.charges_by_intent: dict[str, list[str]] = {}
        self.test_cards: dict[str, str] = {}
        """Payment method or token → the name of its test card."""
        self.events: dict[str, EventLocation] = {}
        self.undelivered: dict[str, None] = {}
        """Ids of events, used as an ordered set."""
        self.responses: dict[str, SavedResponse] = {}
        """Idempotency key → the response that it keeps."""

    def load(self) -> None:
        """Replay the log, and compact it if it has grown large."""
        self._replay()
        if self.wal.needs_compaction:
            self.wal.compact(self._live_records())
            self._replay()

    def is_subscribed(self, event_type: str) -> bool:
        if self.subscribed is None:
            return False
        return not self.subscribed or event_type in self.subscribed

    def get(self, object_type: str, object_id: str, *, param: str = "id", status: int = 404) -> StripeObject:
        """Return a copy of the object. Raises ApiError if there is none, or if it belongs to live mode."""
        text = self.json_by_id[object_type].get(object_id)
        if text is None:
            raise errors.resource_missing(OBJECT_NOUNS[object_type], object_id, param=param, status=status)
        obj: StripeObject = json.loads(text)
        if obj["livemode"]:
            hint = (
                "; a similar object exists in live mode, but a test mode key was used to make this request."
            )
            raise errors.resource_missing(
                OBJECT_NOUNS[object_type], object_id, param=param, status=status, hint=hint
            )
        return obj

    def get_event(self, event_id: str) -> StripeObject:
        """Read the event from the log. Raises ApiError if there is none."""
        found = self.events.get(event_id)
        if found is None:
            raise errors.resource_missing("event", event_id, param="id")
        entries = self.wal.read(found.location)
        event: StripeObject = next(
            payload for kind, payload in entries if kind == "event" and payload["id"] == event_id
        )
        return event | {"pending_webhooks": int(event_id in self.undelivered)}

    def find_response(self, idempotency_key: str) -> SavedResponse | None:
        """Return the response that the key keeps, None if it has none or is older than a day."""
        response = self.responses.get(idempotency_key)
        if response is None or response.saved_at <= time.time() - IDEMPOTENCY_KEY_SECONDS:
            return None
        return response

    def read_body(self, response: SavedResponse) -> str:
        """Read the saved response's body from the log."""
        entries = self.wal.read(response.location)
        return next(objects.to_json(payload["body"]) for kind, payload in entries if kind == "response")

    def commit(self, transaction: Transaction) -> None:
        """Write the transaction to the log and apply it. Await `wal.flush()` before telling anybody."""
        if not transaction.entries:
            return
        location = self.wal.append((entry.kind, entry.text) for entry in transaction.entries)
        for kind, payload, text in transaction.entries:
            self._apply(kind, payload, location, text)

    def mark_delivered(self, event_id: str) -> None:
        """Record that the event has arrived. Not synced: after a crash it may be delivered again."""
        if event_id in self.undelivered:
            del self.undelivered[event_id]
            self.wal.append([("delivered", objects.to_json(event_id))], sync=False)

    def _replay(self) -> None:
        tables: tuple[dict[str, Any], ...] = (
            *self.json_by_id.values(),
            self.created,
            self.charges_by_intent,
            self.test_cards,
            self.events,
            self.undelivered,
            self.responses,
        )
        for table in tables:
            table.clear()
        for ids in self.ids.values():
            ids.clear()
        for location, entries in self.wal.replay():
            for kind, payload in entries:
                self._apply(kind, payload, location)

    def _apply(self, kind: str, payload: Any, location: Location, text: str = "") -> None:
        if kind == "delivered":
            self.undelivered.pop(payload, None)
        elif kind == "card":
            object_id, test_card = payload
            self.test_cards[object_id] = test_card
        elif kind == "response":
            self._index_response(payload, location)
        elif kind == "event":
            self._index_event(payload, location)
        else:
            self._index_object(kind, payload, text or objects.to_json(payload))

    def _index_object(self, object_type: str, obj: StripeObject, text: str) -> None:
        object_id = obj["id"]
        if object_id not in self.json_by_id[object_type]:
            self.ids[object_type].append(object_id)
            self.created[object_id] = obj["created"]
            if object_type == "charge":
                self.charges_by_intent.setdefault(obj["payment_intent"], []).append(object_id)
        self.json_by_id[object_type][object_id] = text

    def _index_event(self, event: StripeObject, location: Location) -> None:
        event_id = event["id"]
        self.ids["event"].append(event_id)
        self.created[event_id] = event["created"]
        self.events[event_id] = EventLocation(event["type"], location)
        if event["pending_webhooks"]:
            self.undelivered[event_id] = None

    def _index_response(self, response: dict[str, Any], location: Location) -> None:
        self.responses[response["key"]] = SavedResponse(
            path=response["path"],
            fingerprint=response["fingerprint"],
            status=response["status"],
            request_id=response["request_id"],
            saved_at=response["saved_at"],
            location=location,
        )

    def _live_records(self) -> Iterator[list[tuple[str, str]]]:
        """Yield a record for everything still needed: objects, a month of events, a day of responses."""
        for object_type in OBJECT_NOUNS:
            for object_id in self.ids[object_type]:
                entries = [(object_type, self.json_by_id[object_type][object_id])]
                if object_id in self.test_cards:
                    entries.append(("card", objects.to_json([object_id, self.test_cards[object_id]])))
                yield entries
        oldest = time.time() - EVENT_RETENTION_SECONDS
        for event_id in self.ids["event"]:
            if event_id in self.undelivered or self.created[event_id] > oldest:
                yield [("event", objects.to_json(self.get_event(event_id)))]
        for key in self.responses:
            response = self.find_response(key)
            if response:
                fields = response._asdict() | {"key": key, "body": json.loads(self.read_body(response))}
                del fields["location"]
                yield [("response", objects.to_json(fields))]
