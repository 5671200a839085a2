"""Stacks: starting, watching and stopping servers and programs."""
