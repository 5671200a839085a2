"""What every app stands on: money, times, caching, outbox, alerts, audit log, outbound HTTP, static files."""
