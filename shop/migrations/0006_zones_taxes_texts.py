from typing import ClassVar

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("shop", "0005_removed_files"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="LegalText",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("imprint", "Imprint"),
                            ("terms", "terms and conditions"),
                            ("withdrawal", "notice on the right of withdrawal"),
                            ("privacy", "privacy policy"),
                            ("accessibility", "accessibility statement"),
                        ],
                        max_length=13,
                    ),
                ),
                ("language", models.CharField(default="en", max_length=35)),
                ("text", models.TextField(help_text="Plain text. An empty line starts a new paragraph.")),
                ("changed_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "ordering": ["kind", "language"],
            },
        ),
        migrations.CreateModel(
            name="QueueSuccess",
            fields=[
                ("queue", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "ordering": ["queue"],
            },
        ),
        migrations.CreateModel(
            name="ShippingRate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("up_to", models.PositiveBigIntegerField(blank=True, null=True)),
                ("amount", models.PositiveBigIntegerField()),
            ],
            options={
                "ordering": ["zone", "currency", models.OrderBy(models.F("up_to"), nulls_last=True)],
            },
        ),
        migrations.CreateModel(
            name="ShippingZone",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40, unique=True)),
                (
                    "basis",
                    models.CharField(
                        choices=[("weight", "Weight"), ("price", "Price")],
                        default="price",
                        max_length=6,
                        verbose_name="priced by",
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                "ordering": ["position", "id"],
            },
        ),
        migrations.CreateModel(
            name="TaxRate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("country", models.CharField(max_length=2)),
                (
                    "tax_class",
                    models.CharField(
                        choices=[
                            ("standard", "Standard"),
                            ("reduced", "Reduced"),
                            ("second reduced", "Second Reduced"),
                            ("zero", "Zero"),
                        ],
                        default="standard",
                        max_length=20,
                    ),
                ),
                ("percent", models.DecimalField(decimal_places=3, max_digits=6)),
                (
                    "included",
                    models.BooleanField(
                        default=True,
                        help_text="Prices shown to this country contain the tax. If not, it is added at the checkout.",
                        verbose_name="included in prices",
                    ),
                ),
            ],
            options={
                "ordering": ["country", "tax_class"],
            },
        ),
        migrations.CreateModel(
            name="ZoneCountry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("country", models.CharField(max_length=2, unique=True)),
            ],
            options={
                "verbose_name_plural": "zone countries",
                "ordering": ["country"],
            },
        ),
        migrations.RemoveIndex(
            model_name="alert",
            name="alerts_to_send",
        ),
        migrations.RemoveIndex(
            model_name="email",
            name="emails_to_send",
        ),
        migrations.AddField(
            model_name="alert",
            name="failed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="email",
            name="failed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="product",
            name="identification",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Type, batch or serial number.",
                max_length=120,
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="manufacturer",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="Name, postal address and email or web address.",
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="responsible_person",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="If the manufacturer is outside the EU: name, postal address and email or web address.",
                verbose_name="responsible person in the EU",
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="tax_class",
            field=models.CharField(
                choices=[
                    ("standard", "Standard"),
                    ("reduced", "Reduced"),
                    ("second reduced", "Second Reduced"),
                    ("zero", "Zero"),
                ],
                db_default="standard",
                default="standard",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="warnings",
            field=models.TextField(
                blank=True, db_default="", default="", verbose_name="warnings and safety information"
            ),
        ),
        migrations.AddField(
            model_name="variant",
            name="weight_grams",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Packed. Needed where shipping is priced by weight.",
                null=True,
                verbose_name="weight in grams",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("failed_at", None), ("sent_at", None)),
                fields=["due_at"],
                name="alerts_to_be_sent",
            ),
        ),
        migrations.AddIndex(
            model_name="email",
            index=models.Index(
                condition=models.Q(("failed_at", None), ("sent_at", None)),
                fields=["due_at"],
                name="emails_to_be_sent",
            ),
        ),
        migrations.AddIndex(
            model_name="email",
            index=models.Index(fields=["about"], name="emails_by_what_they_are_about"),
        ),
        migrations.AddConstraint(
            model_name="legaltext",
            constraint=models.UniqueConstraint(
                fields=("kind", "language"), name="one_legal_text_per_kind_and_language"
            ),
        ),
        migrations.AddField(
            model_name="shippingrate",
            name="zone",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="rates", to="shop.shippingzone"
            ),
        ),
        migrations.AddConstraint(
            model_name="taxrate",
            constraint=models.UniqueConstraint(
                fields=("country", "tax_class"), name="one_tax_rate_per_country_and_class"
            ),
        ),
        migrations.AddConstraint(
            model_name="taxrate",
            constraint=models.CheckConstraint(
                condition=models.Q(("percent__gte", 0), ("percent__lt", 100)),
                name="a_tax_rate_is_a_percentage",
            ),
        ),
        migrations.AddField(
            model_name="zonecountry",
            name="zone",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="countries", to="shop.shippingzone"
            ),
        ),
        migrations.AddConstraint(
            model_name="shippingrate",
            constraint=models.UniqueConstraint(
                fields=("zone", "currency", "up_to"), name="one_shipping_rate_per_band", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            model_name="zonecountry",
            constraint=models.CheckConstraint(
                condition=models.Q(("country__regex", "^[A-Z]{2}$")), name="a_country_has_two_capital_letters"
            ),
        ),
    ]
