"""The core that every app stands on: caching, money, times, outbox, alerts, audit log, outbound HTTP, static files."""
