"""The commands of `python -m deploy.local`: the demo, and the tests with a browser for them."""
