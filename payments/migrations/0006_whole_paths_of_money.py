import uuid
from typing import ClassVar

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("drops", "0007_tariffs_and_limits_per_person"),
        ("payments", "0005_refunds_due"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="AddressChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("address", models.JSONField()),
                ("requested_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("confirmed_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-requested_at"],
            },
        ),
        migrations.CreateModel(
            name="BalanceTransaction",
            fields=[
                ("id", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("type", models.CharField(max_length=255)),
                ("source_id", models.CharField(blank=True, max_length=255)),
                ("amount", models.BigIntegerField()),
                ("fee", models.BigIntegerField()),
                ("net", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("exchange_rate", models.DecimalField(decimal_places=10, max_digits=20, null=True)),
                ("created_at", models.DateTimeField()),
                ("livemode", models.BooleanField()),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="Claim",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("units", models.PositiveIntegerField()),
                ("freed_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Dispute",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("stripe_id", models.CharField(max_length=255, unique=True)),
                ("charge_id", models.CharField(max_length=255)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("inquiry", "Inquiry"),
                            ("open", "Open"),
                            ("closed", "inquiry closed"),
                            ("won", "Won"),
                            ("lost", "Lost"),
                        ],
                        max_length=10,
                    ),
                ),
                ("stripe_status", models.CharField(max_length=40)),
                ("reason", models.CharField(blank=True, max_length=60)),
                ("amount", models.PositiveBigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("evidence_due_at", models.DateTimeField(null=True)),
                ("opened_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("closed_at", models.DateTimeField(null=True)),
                ("livemode", models.BooleanField()),
            ],
            options={
                "ordering": ["evidence_due_at", "-opened_at"],
            },
        ),
        migrations.CreateModel(
            name="FraudWarning",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("stripe_id", models.CharField(max_length=255, unique=True)),
                ("charge_id", models.CharField(max_length=255)),
                ("type", models.CharField(max_length=60)),
                ("actionable", models.BooleanField()),
                ("warned_at", models.DateTimeField()),
                ("handled_at", models.DateTimeField(null=True)),
                ("livemode", models.BooleanField()),
            ],
            options={
                "ordering": ["-warned_at"],
            },
        ),
        migrations.CreateModel(
            name="Fulfilment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("to pack", "To Pack"),
                            ("packed", "Packed"),
                            ("shipped", "Shipped"),
                            ("returned", "Returned"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="to pack",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("packed_at", models.DateTimeField(null=True)),
                ("shipped_at", models.DateTimeField(null=True)),
                ("delivered_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("carrier", models.CharField(blank=True, max_length=40)),
                ("tracking_number", models.CharField(blank=True, max_length=80)),
            ],
            options={
                "ordering": ["created_at"],
            },
        ),
        migrations.CreateModel(
            name="Identity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(choices=[("email", "Email"), ("card", "Card")], max_length=5)),
                ("digest", models.BinaryField(max_length=32)),
                ("units", models.PositiveIntegerField(default=0)),
            ],
            options={
                "verbose_name_plural": "identities",
            },
        ),
        migrations.CreateModel(
            name="Invoice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("name", models.CharField(max_length=40, unique=True)),
                ("issued_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("content", models.JSONField()),
                ("total", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
            ],
            options={
                "ordering": ["-issued_at", "-number"],
            },
        ),
        migrations.CreateModel(
            name="OrderLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(default=0)),
                ("product_name", models.CharField(max_length=80)),
                ("variant_name", models.CharField(blank=True, max_length=200)),
                ("options", models.JSONField(default=dict)),
                ("sku", models.CharField(max_length=40)),
                ("numbers", models.JSONField(default=list)),
                ("of", models.PositiveIntegerField()),
                ("quantity", models.PositiveSmallIntegerField()),
                ("price", models.PositiveBigIntegerField()),
                ("tax_percent", models.DecimalField(decimal_places=3, max_digits=6)),
                ("tax", models.PositiveBigIntegerField()),
            ],
            options={
                "ordering": ["position", "id"],
            },
        ),
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("began_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("ended_at", models.DateTimeField(null=True)),
                ("since", models.DateTimeField()),
                ("compared", models.PositiveIntegerField(default=0)),
                ("differences", models.JSONField(default=list)),
                ("error", models.TextField(blank=True, default="")),
            ],
            options={
                "ordering": ["-began_at"],
            },
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "origin",
                    models.CharField(
                        choices=[("shop", "requested here"), ("stripe", "made in Stripe's dashboard")],
                        default="shop",
                        max_length=6,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("sent", "Sent"),
                            ("unknown", "Unknown"),
                            ("pending", "Pending"),
                            ("requires_action", "requires action"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("canceled", "Canceled"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="requested",
                        max_length=15,
                    ),
                ),
                ("amount", models.PositiveBigIntegerField()),
                ("shipping", models.PositiveBigIntegerField(default=0)),
                ("goodwill", models.PositiveBigIntegerField(default=0)),
                ("currency", models.CharField(max_length=3)),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("withdrawal", "the customer withdrew from the contract"),
                            ("cancelled drop", "the drop was cancelled"),
                            ("cancelled order", "the order was cancelled before it was shipped"),
                            ("damaged", "damaged or faulty"),
                            ("lost", "lost on the way"),
                            ("fraud", "fraudulent"),
                            ("goodwill", "goodwill"),
                            ("other", "other"),
                        ],
                        default="other",
                        max_length=20,
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=500)),
                ("stripe_id", models.CharField(max_length=255, null=True, unique=True)),
                ("failure_reason", models.CharField(blank=True, max_length=120)),
                ("livemode", models.BooleanField()),
                ("requested_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("sent_at", models.DateTimeField(null=True)),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("checked_at", models.DateTimeField(null=True)),
                ("units_decided_at", models.DateTimeField(null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("last_error", models.TextField(blank=True)),
            ],
            options={
                "ordering": ["-requested_at"],
            },
        ),
        migrations.CreateModel(
            name="RefundLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("amount", models.PositiveBigIntegerField()),
                ("numbers", models.JSONField(default=list)),
                (
                    "units",
                    models.CharField(
                        choices=[("withheld", "withheld from sale"), ("kept", "left with the customer")],
                        default="kept",
                        max_length=8,
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Series",
            fields=[
                (
                    "name",
                    models.CharField(
                        choices=[("invoice", "Invoice"), ("credit note", "Credit Note")],
                        max_length=12,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("last", models.PositiveIntegerField(default=0)),
            ],
            options={
                "verbose_name_plural": "series",
            },
        ),
        migrations.CreateModel(
            name="Withdrawal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("order_number", models.CharField(max_length=20)),
                ("email", models.EmailField(max_length=254)),
                ("pieces", models.CharField(blank=True, max_length=500)),
                ("language", models.CharField(default="en", max_length=35)),
                ("confirmed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("handled_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-confirmed_at"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="ledgerentry",
            name="captures_add_and_refunds_take",
        ),
        migrations.AddField(
            model_name="attempt",
            name="returned_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="event",
            name="charge_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=255),
        ),
        migrations.AddField(
            model_name="event",
            name="last_error",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="event",
            name="tries",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="order",
            name="district",
            field=models.CharField(blank=True, db_default="", default="", max_length=80),
        ),
        migrations.AddField(
            model_name="order",
            name="erased_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="link_version",
            field=models.PositiveSmallIntegerField(db_default=1, default=1),
        ),
        migrations.AddField(
            model_name="order",
            name="shipping_tax",
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="order",
            name="shipping_tax_percent",
            field=models.DecimalField(db_default=0, decimal_places=3, default=0, max_digits=6),
        ),
        migrations.AddField(
            model_name="payment",
            name="action_ends_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="payment",
            name="capture_before",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="payment",
            name="card_brand",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
        migrations.AddField(
            model_name="payment",
            name="card_last4",
            field=models.CharField(blank=True, db_default="", default="", max_length=4),
        ),
        migrations.AddField(
            model_name="payment",
            name="client_secret",
            field=models.CharField(blank=True, db_default="", default="", max_length=255),
        ),
        migrations.AddField(
            model_name="payment",
            name="failures",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="payment",
            name="last_error",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="payment",
            name="outcome_seen_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="payment",
            name="three_d_secure",
            field=models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.AddField(
            model_name="payment",
            name="wallet",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
        migrations.AlterField(
            model_name="ledgerentry",
            name="amount",
            field=models.BigIntegerField(),
        ),
        migrations.AlterField(
            model_name="ledgerentry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("capture", "Capture"),
                    ("refund", "Refund"),
                    ("refund failed", "Refund Failed"),
                    ("dispute withdrawn", "Dispute Withdrawn"),
                    ("dispute reinstated", "Dispute Reinstated"),
                    ("fee", "Fee"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="shipping",
            field=models.PositiveBigIntegerField(),
        ),
        migrations.AlterField(
            model_name="order",
            name="subtotal",
            field=models.PositiveBigIntegerField(),
        ),
        migrations.AlterField(
            model_name="order",
            name="tax",
            field=models.PositiveBigIntegerField(),
        ),
        migrations.AlterField(
            model_name="order",
            name="total",
            field=models.PositiveBigIntegerField(),
        ),
        migrations.AlterField(
            model_name="payment",
            name="amount",
            field=models.PositiveBigIntegerField(),
        ),
        migrations.AlterField(
            model_name="payment",
            name="void_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("lost", "Lost"),
                    ("late", "Late"),
                    ("declined", "Declined"),
                    ("action", "Action"),
                    ("not authenticated", "Not Authenticated"),
                    ("withdrawn", "Withdrawn"),
                    ("refused", "Refused"),
                    ("released", "Released"),
                    ("cancelled", "Cancelled"),
                    ("limit", "Limit"),
                    ("request", "Request"),
                    ("shop", "Shop"),
                ],
                default="",
                max_length=20,
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("card_last4", ""), _negated=True),
                fields=["card_last4"],
                name="payments_by_last_digits",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("amount__gt", 0), ("kind__in", ["capture", "refund failed", "dispute reinstated"])
                    ),
                    models.Q(("amount__lt", 0), ("kind__in", ["refund", "dispute withdrawn"])),
                    models.Q(("kind", "fee"), models.Q(("amount", 0), _negated=True)),
                    _connector="OR",
                ),
                name="a_ledger_entry_has_the_sign_of_its_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "action"), _negated=True),
                    ("action_ends_at__isnull", False),
                    _connector="OR",
                ),
                name="an_authentication_has_its_end",
            ),
        ),
        migrations.AddField(
            model_name="addresschange",
            name="order",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="address_changes",
                to="payments.order",
            ),
        ),
        migrations.AddField(
            model_name="balancetransaction",
            name="order",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="balance_transactions",
                to="payments.order",
            ),
        ),
        migrations.AddField(
            model_name="claim",
            name="order",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="claims", to="payments.order"
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="payment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="disputes", to="payments.payment"
            ),
        ),
        migrations.AddField(
            model_name="fraudwarning",
            name="handled_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="fraudwarning",
            name="payment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="fraud_warnings",
                to="payments.payment",
            ),
        ),
        migrations.AddField(
            model_name="fulfilment",
            name="order",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="fulfilment", to="payments.order"
            ),
        ),
        migrations.AddField(
            model_name="identity",
            name="drop",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="identities", to="drops.drop"
            ),
        ),
        migrations.AddField(
            model_name="claim",
            name="identity",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="claims", to="payments.identity"
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="order",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="invoices", to="payments.order"
            ),
        ),
        migrations.AddField(
            model_name="orderline",
            name="edition",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="drops.edition"
            ),
        ),
        migrations.AddField(
            model_name="orderline",
            name="order",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="payments.order"
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="payment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="payments.payment"
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="refund",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credit_note",
                to="payments.refund",
            ),
        ),
        migrations.AddField(
            model_name="refundline",
            name="line",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="refund_lines",
                to="payments.orderline",
            ),
        ),
        migrations.AddField(
            model_name="refundline",
            name="refund",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="lines", to="payments.refund"
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="series",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="documents", to="payments.series"
            ),
        ),
        migrations.AddField(
            model_name="withdrawal",
            name="handled_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="withdrawal",
            name="order",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="withdrawals",
                to="payments.order",
            ),
        ),
        migrations.AddField(
            model_name="withdrawal",
            name="refund",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="withdrawals",
                to="payments.refund",
            ),
        ),
        migrations.AddIndex(
            model_name="balancetransaction",
            index=models.Index(fields=["source_id"], name="balance_transactions_by_source"),
        ),
        migrations.AddConstraint(
            model_name="balancetransaction",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "net",
                        django.db.models.expressions.CombinedExpression(
                            models.F("amount"), "-", models.F("fee")
                        ),
                    )
                ),
                name="a_balance_transaction_adds_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at", None), ("state__in", ["inquiry", "open"])),
                    models.Q(("closed_at__isnull", False), ("state__in", ["closed", "won", "lost"])),
                    _connector="OR",
                ),
                name="a_decided_dispute_is_closed",
            ),
        ),
        migrations.AddIndex(
            model_name="fulfilment",
            index=models.Index(
                condition=models.Q(("state__in", ["to pack", "packed"])),
                fields=["created_at"],
                name="orders_to_ship",
            ),
        ),
        migrations.AddConstraint(
            model_name="fulfilment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        models.Q(("state", "packed"), _negated=True),
                        ("packed_at__isnull", False),
                        _connector="OR",
                    ),
                    models.Q(
                        models.Q(("state__in", ["shipped", "returned"]), _negated=True),
                        ("shipped_at__isnull", False),
                        _connector="OR",
                    ),
                ),
                name="packed_and_shipped_orders_have_their_times",
            ),
        ),
        migrations.AddConstraint(
            model_name="fulfilment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", False), ("state__in", ["returned", "cancelled"])),
                    models.Q(("ended_at", None), ("state__in", ["to pack", "packed", "shipped"])),
                    _connector="OR",
                ),
                name="an_ended_fulfilment_has_its_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="identity",
            constraint=models.UniqueConstraint(
                fields=("drop", "kind", "digest"), name="one_identity_per_drop_and_digest"
            ),
        ),
        migrations.AddConstraint(
            model_name="claim",
            constraint=models.UniqueConstraint(
                fields=("identity", "order"), name="one_claim_per_identity_and_order"
            ),
        ),
        migrations.AddConstraint(
            model_name="claim",
            constraint=models.CheckConstraint(
                condition=models.Q(("freed_at", None), ("units", 0), _connector="OR"),
                name="a_freed_claim_has_no_units",
            ),
        ),
        migrations.AddConstraint(
            model_name="orderline",
            constraint=models.UniqueConstraint(
                fields=("order", "edition"), name="one_order_line_per_order_and_edition"
            ),
        ),
        migrations.AddConstraint(
            model_name="orderline",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gt", 0)), name="order_line_quantity_is_positive"
            ),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("state__in", ["requested", "sent", "unknown"])),
                fields=["changed_at"],
                name="refunds_to_send",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="a_refund_is_of_some_amount"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["requested", "withdrawn"]), _negated=True),
                    models.Q(("sent_at", None), ("stripe_id", None)),
                    _connector="OR",
                ),
                name="an_unsent_refund_was_never_sent",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["requested", "withdrawn"]), ("sent_at__isnull", False), _connector="OR"
                ),
                name="a_sent_refund_has_its_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["requested", "withdrawn", "sent", "unknown", "failed", "canceled"]),
                    ("stripe_id__isnull", False),
                    _connector="OR",
                ),
                name="a_refund_at_stripe_has_its_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("origin", "shop"), ("stripe_id__isnull", False), _connector="OR"),
                name="a_refund_from_stripe_has_its_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundline",
            constraint=models.UniqueConstraint(
                fields=("refund", "line"), name="one_refund_line_per_refund_and_line"
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                fields=("series", "number"), name="one_document_per_series_and_number"
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                condition=models.Q(("refund", None)), fields=("order",), name="one_invoice_per_order"
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("refund", None), ("series", "invoice")),
                    models.Q(("refund__isnull", False), ("series", "credit note")),
                    _connector="OR",
                ),
                name="a_credit_note_is_of_a_refund",
            ),
        ),
        migrations.AddIndex(
            model_name="withdrawal",
            index=models.Index(
                condition=models.Q(("handled_at", None)),
                fields=["confirmed_at"],
                name="withdrawals_to_handle",
            ),
        ),
    ]
