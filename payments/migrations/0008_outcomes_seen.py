"""Outcomes from before count as seen, so that nobody gets an email about an order of long ago."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("payments", "0007_lines_of_orders")]

    operations: ClassVar = [
        migrations.RunSQL(
            sql="""
                UPDATE payments_payment SET outcome_seen_at = statement_timestamp()
                WHERE state = 'voided' OR declines > 0
            """,
            reverse_sql=migrations.RunSQL.noop,
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("outcome_seen_at", None), ("state", "voided")),
                fields=["changed_at"],
                name="voids_that_nobody_saw",
            ),
        ),
    ]
