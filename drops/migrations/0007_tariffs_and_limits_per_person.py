from typing import ClassVar

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("drops", "0006_published_tick"),
        ("shop", "0006_zones_taxes_texts"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="drop",
            name="limit_per_person",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="The maximum number of pieces for one person in all their orders. Empty: no limit.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AddField(
            model_name="drop",
            name="tariff",
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="ceiling",
            name="kind",
            field=models.CharField(
                choices=[
                    ("payment rate", "Payment Rate"),
                    ("ready capacity", "Ready Capacity"),
                    ("payment account", "Payment Account"),
                    ("operator", "Operator"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="edition",
            name="price",
            field=models.PositiveBigIntegerField(help_text="In the currency's smallest unit: 9600 is 96.00."),
        ),
        migrations.AlterField(
            model_name="holdline",
            name="price",
            field=models.PositiveBigIntegerField(),
        ),
        migrations.AddConstraint(
            model_name="drop",
            constraint=models.CheckConstraint(
                condition=models.Q(("limit_per_person", None), ("limit_per_person__gte", 1), _connector="OR"),
                name="drop_limit_per_person_is_positive",
            ),
        ),
    ]
