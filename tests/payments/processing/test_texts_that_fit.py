"""A text that is too long, or can't be written, never undoes or stops the record of money."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models

from drops.models import Hold, Unit
from payments import invariants, tasks
from payments.models import LedgerEntry, Order, Payment
from payments.orders import emails, line_items
from payments.orders.line_items import LineItem
from payments.processing import advance, money_alerts, notices, outcomes, refunds
from shop.core import alerts, audit_log, outbox
from shop.core.fields import ShortenedCharField
from shop.core.models import Alert, Email
from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.factories import make_drop, make_edition, make_hold, make_product, make_variant
from tests.payments.order_factory import make_order, states, submit

# Columns of text that are not shortened, because what goes into them is bounded or must not be cut.
BOUNDED = {
    "checked by the form that fills it": {
        "drops.Drop.title", "drops.Drop.slug", "drops.Drop.currency", "drops.Hold.currency",
        "payments.Order.email", "payments.Order.name", "payments.Order.line1", "payments.Order.line2",
        "payments.Order.postcode", "payments.Order.city", "payments.Order.region", "payments.Order.country",
        "payments.Order.currency", "payments.Payment.currency", "payments.LedgerEntry.currency",
        "payments.Attempt.confirmation_token", "scaling.Target.name", "scaling.Target.resource",
        "scaling.FixedGroup.reason",
        "shop.Product.name", "shop.Product.slug", "shop.Product.tagline", "shop.Product.ground",
        "shop.Product.ink", "shop.Product.signal", "shop.Variant.sku", "shop.Variant.swatch",
        "shop.Picture.alt", "shop.Email.to", "shop.Product.identification", "shop.ShippingZone.name",
        "shop.ZoneCountry.country", "shop.ShippingRate.currency", "shop.TaxRate.country", "shop.LegalText.language",
        "payments.Order.district", "payments.OrderLine.product_name", "payments.OrderLine.sku",
        "payments.Refund.currency", "payments.Dispute.currency", "payments.Invoice.currency",
        "payments.BalanceTransaction.currency", "payments.Withdrawal.name", "payments.Withdrawal.order_number",
        "payments.Withdrawal.email",
    },
    "one of a few words or names of ours": {
        "payments.Order.number", "payments.Order.language", "payments.Bucket.name", "scaling.Call.operation",
        "scaling.Target.provider", "scaling.ScalePlan.verdict", "shop.Rendition.type",
        "drops.Leadership.holder", "drops.Checkpoint.run_id", "drops.Drop.shuffle_key_id",
        "shop.ClockReading.machine", "shop.SignIn.account", "shop.SignIn.name", "shop.SignIn.network",
        "shop.SignIn.browser", "shop.RemovedFile.name", "shop.QueueSuccess.queue", "payments.Invoice.name",
        "payments.Withdrawal.language",
    },
    "an id of Stripe's, which are up to 255 characters": {
        "payments.Payment.intent_id", "payments.Payment.charge_id", "payments.Event.id", "payments.Event.type",
        "payments.Event.intent_id", "payments.Event.charge_id", "payments.LedgerEntry.stripe_id",
        "payments.BalanceTransaction.id", "payments.BalanceTransaction.type", "payments.BalanceTransaction.source_id",
        "payments.Payment.client_secret", "payments.Refund.stripe_id", "payments.Dispute.stripe_id",
        "payments.Dispute.charge_id", "payments.FraudWarning.stripe_id", "payments.FraudWarning.charge_id",
    },
}  # fmt: skip
OURS = {"shop", "drops", "scaling", "payments"}


def line(count: int, edition: str = "M", first: int = 1) -> LineItem:
    numbers = list(range(first, first + count))
    return LineItem(
        edition_id=1, variant_id=1, name=f"0 kg {edition}", edition=edition, numbers=numbers, of=20_000, quantity=count,
        price=7000, currency="EUR",
    )  # fmt: skip


def text_columns() -> list[Any]:
    return [
        field
        for model in apps.get_models()
        if model._meta.app_label in OURS
        for field in model._meta.local_fields
        if isinstance(field, models.CharField) and not field.choices
    ]


def make_large_order(sandbox: SandboxProcess, quantity: int) -> Order:
    drop = make_drop(phase="live", editions=0, limit_per_order=quantity)
    edition = make_edition(drop=drop, quantity=quantity)
    hold = make_hold(drop=drop, quantities={edition.pk: quantity})
    return submit(hold, sandbox.token(), total=quantity * 9600 + 490)


@pytest.fixture
def failing_texts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the given writer fail until it is asked to work again."""

    def fail(module: Any, name: str) -> Any:
        def refused(*_: object, **__: object) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 'a text that no column takes'::integer")  # a DataError of Postgres's

        monkeypatch.setattr(module, name, refused)
        return monkeypatch.undo

    return fail


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([line(1)], "No. 1 of 20,000"),
        ([line(3)], "No. 1, No. 2 and No. 3 of 20,000"),
        ([line(4)], "No. 1, No. 2, No. 3 and 1 more"),
        ([line(18)], "No. 1, No. 2, No. 3 and 15 more"),
        ([line(2000, first=10_000)], "No. 10,000, No. 10,001, No. 10,002 and 1,997 more"),
        ([line(1, "S"), line(1, "L")], "S No. 1 of 20,000 and L No. 1 of 20,000"),
        ([line(2, "S"), line(9, "L")], "S No. 1, S No. 2, L No. 1 and 8 more"),
    ],
)
def test_summary_names_the_first_numbers_and_how_many_more(lines: list[LineItem], words: str) -> None:
    assert line_items.summary(lines=lines, max_numbers=3) == words


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize("quantity", [1, 3, 4, 17, 18, 20, 60])
def test_orders_of_any_size_are_captured_and_confirmed(sandbox: SandboxProcess, quantity: int) -> None:
    order = make_large_order(sandbox, quantity)

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("captured", "allocated")
    email = Email.objects.get(about=f"order:{order.uuid}")
    assert len(email.subject) <= 80
    assert email.text.count("No. ") >= quantity  # the mail itself names every number
    assert Payment.objects.get(order=order).notice_due == ""


@pytest.mark.usefixtures("transactional_db")
def test_long_names_of_editions_are_cut_in_the_subject_alone(sandbox: SandboxProcess) -> None:
    product = make_product(name="W" * 80)
    drop = make_drop(phase="live", editions=0, product=product, limit_per_order=3)
    editions = [
        make_edition(drop=drop, variant=make_variant(product=product, options={"size": letter * 79}), price=3000)
        for letter in "ABC"
    ]  # fmt: skip
    hold = make_hold(drop=drop, quantities={edition.pk: 1 for edition in editions})
    order = submit(hold, sandbox.token(), total=3 * 3000 + 490)

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("captured", "allocated")
    email = Email.objects.get(about=f"order:{order.uuid}")
    assert (len(email.subject), email.subject[-1]) == (200, "…")
    assert "C" * 79 in email.text


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize(
    ("module", "name"),
    [(emails, "render_to_string"), (outbox, "put_email"), (line_items, "summary"), (emails, "put_confirmation")],
)  # fmt: skip
def test_capture_is_recorded_whatever_fails_about_its_mail(
    sandbox: SandboxProcess, failing_texts: Any, module: Any, name: str
) -> None:
    order = make_order(sandbox)
    works_again = failing_texts(module, name)

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("captured", "allocated")
    assert LedgerEntry.objects.filter(order=order).count() == 1
    assert Email.objects.count() == 0
    subject = f"order:{order.number} confirmation not written"
    assert list(Alert.objects.open().values_list("subject", flat=True)) == [subject]

    works_again()
    for _twice in range(2):
        tasks.watch_money()

    assert Email.objects.filter(kind="order placed", about=f"order:{order.uuid}").count() == 1
    assert not Alert.objects.open().exists()


@pytest.mark.usefixtures("transactional_db")
def test_lost_authorisation_is_recorded_although_its_alert_fails(
    sandbox: SandboxProcess, failing_texts: Any
) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk, states=advance.AUTHORISING_STATES)
    sandbox.control("expire", payment_intent=Payment.objects.get(order=order).intent_id)
    works_again = failing_texts(alerts, "raise_alert")

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("voided", "returned")
    assert Unit.objects.filter(withheld_reason="capture refused").count() == 1
    assert not Alert.objects.exists()

    works_again()
    tasks.watch_money()

    subjects = list(Alert.objects.open().values_list("subject", flat=True))
    assert f"order:{order.number} authorisation lost" in subjects


@pytest.mark.usefixtures("transactional_db")
def test_order_goes_on_although_the_alert_of_a_refused_request_fails(
    sandbox: SandboxProcess, failing_texts: Any
) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk, states=advance.AUTHORISING_STATES)
    intent_id = Payment.objects.get(order=order).intent_id
    Payment.objects.filter(order=order).update(intent_id="pi_unknown")
    failing_texts(alerts, "raise_alert")

    assert advance.advance_order(order_id=order.pk) == "capturing"  # no exception, and the lease has ended

    Payment.objects.filter(order=order).update(intent_id=intent_id, checked_at=models.functions.Now())
    assert advance.advance_order(order_id=order.pk) == "captured"


@pytest.mark.usefixtures("transactional_db")
def test_control_of_writing_the_mail_without_a_savepoint(
    sandbox: SandboxProcess, failing_texts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = make_order(sandbox)

    def write_without_a_savepoint(*, payment: Payment, notice: str) -> None:
        notices.WRITERS[notice](payment)

    failing_texts(emails, "put_confirmation")
    monkeypatch.setattr(notices, "write", write_without_a_savepoint)

    with pytest.raises(Exception, match="invalid input syntax"):
        advance.advance_order(order_id=order.pk)

    assert states(order) == ("capturing", "allocated")  # charged at Stripe, and unknown to us


def test_every_text_column_is_shortened_or_its_texts_are_bounded() -> None:
    bounded = set().union(*BOUNDED.values())
    plain = {
        f"{field.model._meta.app_label}.{field.model.__name__}.{field.name}"
        for field in text_columns()
        if not isinstance(field, ShortenedCharField)
    }

    assert plain - bounded == set()
    assert bounded - plain == set()


@pytest.mark.django_db
@pytest.mark.parametrize("length", [0, 1, 119, 120, 121, 5_000])
def test_alerts_are_found_by_a_subject_of_any_length(length: int) -> None:
    subject = "s" * length
    alerts.raise_alert(source="s" * length, subject=subject, message="It is full. Empty it.")
    alerts.raise_alert(source="s" * length, subject=subject, message="It is still full. Empty it.")

    stored = Alert.objects.get()
    assert len(stored.subject) == min(length, 120)
    assert alerts.resolve(subject=subject)


@pytest.mark.django_db
@pytest.mark.parametrize("length", [80, 81, 300])
def test_notes_of_any_length_are_kept(length: int) -> None:
    entry = audit_log.write(actor=None, about="user:" + "u" * length, action="a" * length)
    entry.refresh_from_db()
    assert (len(entry.about), len(entry.action)) == (80, 40)

    outbox.put_email(
        kind="k" * length, about="a" * length, to="ada@example.com", subject="é" * 3 * length, text="", html=""
    )  # fmt: skip
    assert len(Email.objects.get().subject) == 200

    hold = make_hold(drop=make_drop(phase="live"))
    Unit.objects.filter(hold=hold).update(
        hold=None, withheld_at=models.functions.Now(), withheld_reason="r" * 999
    )
    assert len(Unit.objects.get(withheld_at__isnull=False).withheld_reason) == 200
    assert Hold.objects.count() == 1


@pytest.mark.parametrize(
    "failing", [(), ("resolve_finished",), ("list_due",), ("write_due", "raise_alerts"), ("raise_alerts",)]
)
def test_watching_money_goes_on_although_a_part_of_it_fails(
    failing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def part(name: str) -> Callable[[], int]:
        def run() -> int:
            done.append(name)
            if name in failing:
                raise ValueError(name)
            return 7

        return run

    monkeypatch.setattr(money_alerts, "resolve_finished", part("resolve_finished"))
    monkeypatch.setattr(refunds, "list_due", part("list_due"))
    monkeypatch.setattr(notices, "write_due", part("write_due"))
    monkeypatch.setattr(outcomes, "mail_unseen", part("mail_unseen"))
    monkeypatch.setattr(money_alerts, "watch_authorisations", part("watch_authorisations"))
    monkeypatch.setattr(invariants, "raise_alerts", part("raise_alerts"))

    if failing:
        with pytest.raises(ExceptionGroup) as caught:
            tasks.watch_money()
        assert [str(one) for one in caught.value.exceptions] == list(failing)
    else:
        assert tasks.watch_money() == 7
    assert done == [
        "resolve_finished",
        "list_due",
        "write_due",
        "mail_unseen",
        "watch_authorisations",
        "raise_alerts",
    ]


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize("failing", [1, 3])
def test_notices_that_keep_failing_hold_up_no_other(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    orders = [make_order(sandbox) for _number in range(failing + 1)]
    for order in orders:
        advance.advance_order(order_id=order.pk)
    Email.objects.all().delete()
    Payment.objects.update(notice_due=Payment.Notice.CONFIRMATION)
    last = orders[-1]  # those that fail were due before it
    write = notices.WRITERS[Payment.Notice.CONFIRMATION]

    def write_the_last(payment: Payment) -> None:
        if payment.order_id != last.pk:
            raise ValueError("it can't be written")
        write(payment)

    monkeypatch.setitem(notices.WRITERS, Payment.Notice.CONFIRMATION, write_the_last)

    written = any(notices.write_due(limit=1) for _sweep in range(200))

    assert written
    assert Email.objects.get(kind="order placed").about == f"order:{last.uuid}"
    assert Payment.objects.filter(notice_due="confirmation").count() == failing
