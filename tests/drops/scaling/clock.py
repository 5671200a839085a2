"""Time that passes without waiting: every stored moment moves into the past."""

from django.db import connection

COLUMNS = {
    "drops_drop": (
        "announced_at",
        "lobby_opens_at",
        "opens_at",
        "closes_at",
        "sealed_at",
        "closed_at",
        "cancelled_at",
    ),
    "scaling_step": (
        "starts_at",
        "needed_at",
        "requested_at",
        "ready_at",
        "holding_at",
        "released_at",
        "ended_at",
    ),
    # Not desired_at: nothing is compared with it, and idempotency keys are made from it.
    "scaling_target": ("observed_at", "locked_until", "retry_at", "stopped_at"),
    "scaling_scaleplan": ("changed_at", "planned_at", "verdict_at", "approved_at"),
    "scaling_usage": ("since", "until"),
    "shop_alert": ("created_at", "resolved_at", "sent_at", "due_at"),
    "scaling_heartbeat": ("ticked_at", "paused_at"),
}


def pass_time(seconds: float) -> None:
    """Let so many seconds pass."""
    with connection.cursor() as cursor:
        for table, columns in COLUMNS.items():
            moves = ", ".join(f"{column} = {column} - make_interval(secs => %s)" for column in columns)
            cursor.execute(f"UPDATE {table} SET {moves}", [seconds] * len(columns))
