"""What gate and gatekeeper agree on: keys, tickets, places, the status document, Lua scripts. No Django."""
