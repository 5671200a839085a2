"""Orders from before get their lines and their fulfilment; the database bounds what is requested as a refund.

The names of what was bought are copied as they are now, since nobody kept them before.
"""

import os
from typing import Any, ClassVar

from django.db import migrations

LINES_SQL = """
    INSERT INTO payments_orderline (order_id, edition_id, position, product_name, variant_name, options, sku,
                                    numbers, of, quantity, price, tax_percent, tax)
    SELECT o.id, e.id, e.position, p.name,
           left(coalesce((SELECT string_agg(value, ', ') FROM jsonb_each_text(v.options)), ''), 200),
           v.options, v.sku,
           coalesce((SELECT jsonb_agg(u.number ORDER BY u.number) FROM drops_unit u
                     WHERE u.hold_id = o.hold_id AND u.edition_id = e.id), '[]'),
           e.quantity, l.quantity, l.price, %(percent)s,
           round(l.quantity * l.price * %(percent)s::numeric / (100 + %(percent)s::numeric))
    FROM payments_order o
    JOIN drops_holdline l ON l.hold_id = o.hold_id
    JOIN drops_edition e ON e.id = l.edition_id
    JOIN shop_variant v ON v.id = e.variant_id
    JOIN shop_product p ON p.id = v.product_id
    WHERE NOT EXISTS (SELECT FROM payments_orderline WHERE order_id = o.id)
"""
SHIPPING_TAX_SQL = """
    UPDATE payments_order o SET shipping_tax_percent = %(percent)s,
        shipping_tax = greatest(0, tax - (SELECT sum(tax) FROM payments_orderline WHERE order_id = o.id))
    WHERE shipping > 0
"""
FULFILMENT_SQL = """
    INSERT INTO payments_fulfilment (order_id, state, created_at, carrier, tracking_number)
    SELECT order_id, 'to pack', captured_at, '', '' FROM payments_payment
    WHERE state = 'captured' AND refund_due_at IS NULL
"""
BOUND_SQL = """
    CREATE FUNCTION payments_refund_bound() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        remaining bigint;
    BEGIN
        IF NEW.origin <> 'shop' OR NEW.state IN ('failed', 'canceled', 'withdrawn') THEN
            RETURN NEW;
        END IF;
        -- The payment's row is locked, so that of two refunds at once the second sees the first.
        SELECT amount INTO remaining FROM payments_payment
            WHERE id = NEW.payment_id AND decision = 'capture' AND state IN ('authorised', 'capturing', 'captured')
            FOR UPDATE;
        remaining := coalesce(remaining, 0)
            - (SELECT coalesce(sum(amount), 0) FROM payments_refund
               WHERE payment_id = NEW.payment_id AND id IS DISTINCT FROM NEW.id
                 AND state NOT IN ('failed', 'canceled', 'withdrawn'))
            - (SELECT coalesce(sum(amount), 0) FROM payments_dispute
               WHERE payment_id = NEW.payment_id AND state IN ('open', 'lost'));
        IF NEW.amount > remaining THEN
            RAISE EXCEPTION 'only % of the payment are left to refund', greatest(remaining, 0)
                USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_are_within_what_was_captured';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refunds_are_within_what_was_captured BEFORE INSERT OR UPDATE OF amount ON payments_refund
    FOR EACH ROW EXECUTE FUNCTION payments_refund_bound();
"""


def fill(apps: Any, schema_editor: Any) -> None:
    # The one rate that every order has had until now was this setting.
    percent = os.environ.get("TAX_PERCENT") or "19"
    with schema_editor.connection.cursor() as cursor:
        for sql in (LINES_SQL, SHIPPING_TAX_SQL, FULFILMENT_SQL):
            cursor.execute(sql, {"percent": percent})


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("payments", "0006_whole_paths_of_money"),
        ("drops", "0007_tariffs_and_limits_per_person"),
        ("shop", "0006_zones_taxes_texts"),
    ]

    operations: ClassVar = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunSQL(
            sql=BOUND_SQL,
            reverse_sql="""
                DROP TRIGGER refunds_are_within_what_was_captured ON payments_refund;
                DROP FUNCTION payments_refund_bound();
            """,
        ),
    ]
