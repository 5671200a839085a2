"""A ledger row is written once: the database refuses to change or delete it."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("payments", "0001_initial")]

    operations: ClassVar = [
        migrations.RunSQL(
            sql="""
                CREATE FUNCTION payments_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'integrity_constraint_violation';
                END $$;
                CREATE TRIGGER the_ledger_is_append_only BEFORE UPDATE OR DELETE ON payments_ledgerentry
                FOR EACH ROW EXECUTE FUNCTION payments_ledger_refuse();
            """,
            reverse_sql="""
                DROP TRIGGER the_ledger_is_append_only ON payments_ledgerentry;
                DROP FUNCTION payments_ledger_refuse();
            """,
        )
    ]
