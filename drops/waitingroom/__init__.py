"""The waiting room: a protocol, the gate that shoppers talk to, and the gatekeeper that admits them."""
