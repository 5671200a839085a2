"""Simulated shoppers. They speak HTTP only: what a real shopper can't know, they don't know either."""
