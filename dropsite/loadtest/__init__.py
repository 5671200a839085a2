"""The load test: a simulated crowd against a running deployment, the checks afterwards, and what it cost."""
