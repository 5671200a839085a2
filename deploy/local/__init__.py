"""The shop on one machine: servers and processes for the demo and the tests, under one supervisor."""
