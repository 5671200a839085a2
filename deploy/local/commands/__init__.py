"""What `python -m deploy.local` does: the demo, the tests, and finding a browser for them."""
