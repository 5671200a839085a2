"""The base of every app: money, times, caching, outbox, alerts, audit log, outbound HTTP, static files."""
