from django.db import migrations

COPY = """
    UPDATE drops_drop d SET expected_shoppers = p.expected
    FROM scaling_scaleplan p
    WHERE p.drop_id = d.id
"""
COPY_BACK = """
    UPDATE scaling_scaleplan p SET expected = coalesce(d.expected_shoppers, 1)
    FROM drops_drop d
    WHERE p.drop_id = d.id
"""


class Migration(migrations.Migration):
    """Carry the numbers over to the drops.

    The column stays for one release, without its NOT NULL, as the release before still reads and writes it.
    """

    dependencies = [
        ("drops", "0003_expected_shoppers"),
        ("scaling", "0002_groups_that_stand_as_they_are"),
    ]

    operations = [
        migrations.RunSQL(COPY, COPY_BACK),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE scaling_scaleplan ALTER COLUMN expected DROP NOT NULL",
                    "ALTER TABLE scaling_scaleplan ALTER COLUMN expected SET NOT NULL",
                ),
            ],
            state_operations=[
                migrations.RemoveField(model_name="scaleplan", name="expected"),
            ],
        ),
    ]
