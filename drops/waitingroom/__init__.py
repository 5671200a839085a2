"""The waiting room: what its parts agree on (protocol), what shoppers talk to (gate), what admits them (gatekeeper)."""
