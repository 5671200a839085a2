"""The ASGI app that issues tickets and passes. Redis only, no Django."""
