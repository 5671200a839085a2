"""Names of time zones. Pure: the gate, which has no Django, names them, too."""

from datetime import datetime, timedelta


def zone_name(local: datetime) -> str:
    """Return the name of the zone at that moment: "CET", "CEST"; "UTC+5:45" for one without."""
    name = local.tzname() or ""
    if name[:1] not in {"+", "-"}:
        return name
    offset = local.utcoffset() or timedelta()
    hours, minutes = divmod(int(abs(offset).total_seconds()) // 60, 60)
    return f"UTC{name[0]}{hours}" + (f":{minutes:02}" if minutes else "")
