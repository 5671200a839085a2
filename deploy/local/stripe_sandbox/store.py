"""What the sandbox knows, in memory, and the one way that it changes: a Change, committed as one line of the journal.

Live objects are held as JSON text. Events and idempotency answers are only written once, so that memory holds where
in the journal they stand. Nothing here awaits: a change is seen whole or not at all.
"""

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from . import errors, shapes
from .journal import Journal, Where
from .shapes import Thing

ANSWER_SECONDS = 24 * 3600
EVENT_SECONDS = 30 * 86400
KINDS = {
    "payment_intent": "payment_intent",
    "charge": "charge",
    "payment_method": "PaymentMethod",
    "confirmation_token": "confirmation_token",
}
"""What is kept as text, and the noun that Stripe's `No such …` uses."""


class Answer(NamedTuple):
    """What an idempotency key was answered with; the body stands in the journal."""

    path: str
    print: str
    status: int
    request: str
    at: int
    where: Where


class Told(NamedTuple):
    """An event in the lists; the whole stands in the journal."""

    type: str
    where: Where


class Entry(NamedTuple):
    kind: str
    payload: Any
    text: str
    """The payload as JSON."""


class Change:
    """What one request does: collected here, committed by the store, or dropped."""

    def __init__(self, store: "Store", *, request: str = "", key: str | None = None) -> None:
        self.store = store
        self.events: dict[str, str] = {}
        """Those to be delivered: id → body, as it will be sent."""
        self.entries: list[Entry] = []
        self._cause = {"id": request or None, "idempotency_key": key}

    def keep(self, thing: Thing, *, card: str | None = None) -> None:
        """Store the object as it is now. `card` names the test card behind a payment method or token."""
        self._add(thing["object"], thing)
        if card:
            self._add("card", [thing["id"], card])

    def tell(self, kind: str, thing: Thing) -> None:
        """Make an event of it, with the object as it is now."""
        pending = self.store.subscribed is not None and (not self.store.subscribed or kind in self.store.subscribed)
        event = shapes.fresh(
            "event",
            id=shapes.identity("evt_"),
            data={"object": thing},
            pending_webhooks=int(pending),
            request=self._cause,
            type=kind,
        )
        body = self._add("event", event)
        if pending:
            self.events[event["id"]] = body

    def find(self, kind: str, identity: str) -> Thing:
        """The object as this change leaves it. Raises ApiError when there is none."""
        for entry in reversed(self.entries):
            if entry.kind == kind and entry.payload["id"] == identity:
                thing: Thing = json.loads(entry.text)
                return thing
        return self.store.get(kind, identity)

    def answer(self, saved: Thing) -> None:
        """Keep what an idempotency key was answered with."""
        self._add("answer", saved)

    def _add(self, kind: str, payload: Any) -> str:
        text = shapes.compact(payload)
        self.entries.append(Entry(kind, payload, text))
        return text


class Store:
    """`subscribed`: the types of event that are delivered, empty for all, None for none."""

    def __init__(self, journal: Journal, *, subscribed: frozenset[str] | None) -> None:
        self.journal = journal
        self.subscribed = subscribed
        self.texts: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
        self.order: dict[str, list[str]] = {kind: [] for kind in (*KINDS, "event")}
        self.created: dict[str, int] = {}
        self.charges_of: dict[str, list[str]] = {}
        self.cards: dict[str, str] = {}
        self.events: dict[str, Told] = {}
        self.undelivered: dict[str, None] = {}
        self.answers: dict[str, Answer] = {}

    def load(self) -> None:
        """Replay the journal, and compact it when it has grown large."""
        self._replay()
        if self.journal.is_large:
            self.journal.rewrite(self._lines())
            self._replay()

    def _replay(self) -> None:
        tables: tuple[dict[str, Any], ...] = (
            *self.texts.values(),
            self.created,
            self.charges_of,
            self.cards,
            self.events,
            self.undelivered,
            self.answers,
        )
        for table in tables:
            table.clear()
        for order in self.order.values():
            order.clear()
        for where, entries in self.journal.replay():
            for kind, payload in entries:
                self._apply(kind, payload, where)

    def get(self, kind: str, identity: str, *, param: str = "id", status: int = 404) -> Thing:
        """A copy of the object. Raises ApiError when there is none, or when it lives in the other mode."""
        text = self.texts[kind].get(identity)
        if text is None:
            raise errors.missing(KINDS[kind], identity, param=param, status=status)
        thing: Thing = json.loads(text)
        if thing["livemode"]:
            hint = "; a similar object exists in live mode, but a test mode key was used to make this request."
            raise errors.missing(KINDS[kind], identity, param=param, status=status, hint=hint)
        return thing

    def event(self, identity: str) -> Thing:
        """Raises ApiError when there is none."""
        told = self.events.get(identity)
        if told is None:
            raise errors.missing("event", identity, param="id")
        entries = self.journal.read(told.where)
        event: Thing = next(body for kind, body in entries if kind == "event" and body["id"] == identity)
        return event | {"pending_webhooks": int(identity in self.undelivered)}

    def answer(self, key: str) -> Answer | None:
        answer = self.answers.get(key)
        return answer if answer and answer.at > time.time() - ANSWER_SECONDS else None

    def body(self, answer: Answer) -> str:
        """The text that was answered."""
        entries = self.journal.read(answer.where)
        return next(shapes.compact(saved["body"]) for kind, saved in entries if kind == "answer")

    def commit(self, change: Change) -> None:
        """Write the change; `journal.durable()` then tells when it is on disk."""
        if change.entries:
            where = self.journal.append((entry.kind, entry.text) for entry in change.entries)
            for kind, payload, text in change.entries:
                self._apply(kind, payload, where, text)

    def delivered(self, identity: str) -> None:
        """The event has arrived. Not synced: telling it twice is allowed."""
        if identity in self.undelivered:
            del self.undelivered[identity]
            self.journal.append([("delivered", shapes.compact(identity))], sync=False)

    def _apply(self, kind: str, payload: Any, where: Where, text: str = "") -> None:
        if kind == "delivered":
            self.undelivered.pop(payload, None)
        elif kind == "card":
            self.cards[payload[0]] = payload[1]
        elif kind == "answer":
            self._index_answer(payload, where)
        elif kind == "event":
            self._index_event(payload, where)
        else:
            self._index_object(kind, payload, text or shapes.compact(payload))

    def _index_object(self, kind: str, thing: Thing, text: str) -> None:
        identity = thing["id"]
        if identity not in self.texts[kind]:
            self.order[kind].append(identity)
            self.created[identity] = thing["created"]
            if kind == "charge":
                self.charges_of.setdefault(thing["payment_intent"], []).append(identity)
        self.texts[kind][identity] = text

    def _index_event(self, event: Thing, where: Where) -> None:
        self.order["event"].append(event["id"])
        self.created[event["id"]] = event["created"]
        self.events[event["id"]] = Told(event["type"], where)
        if event["pending_webhooks"]:
            self.undelivered[event["id"]] = None

    def _index_answer(self, saved: Thing, where: Where) -> None:
        self.answers[saved["key"]] = Answer(
            saved["path"], saved["print"], saved["status"], saved["request"], saved["at"], where
        )

    def _lines(self) -> Iterator[list[tuple[str, str]]]:
        """All that is still worth keeping, a line each: objects, answers of a day, events of a month."""
        for kind, identities in self.order.items():
            for identity in identities:
                if kind != "event":
                    entries = [(kind, self.texts[kind][identity])]
                    if card := self.cards.get(identity):
                        entries.append(("card", shapes.compact([identity, card])))
                    yield entries
                elif identity in self.undelivered or self.created[identity] > time.time() - EVENT_SECONDS:
                    yield [("event", shapes.compact(self.event(identity)))]
        for key in self.answers:
            if answer := self.answer(key):
                saved = answer._asdict() | {"key": key, "body": json.loads(self.body(answer))}
                del saved["where"]
                yield [("answer", shapes.compact(saved))]
