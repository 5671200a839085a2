"""The servers that exist only locally: Postgres, Redis, and the mail catcher."""
