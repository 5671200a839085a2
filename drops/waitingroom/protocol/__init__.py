"""The protocol of gate and gatekeeper: keys, tickets, places, the status document, Lua scripts. No Django."""
