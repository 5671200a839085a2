"""Faults brought about in a running shop, and what its visitors notice of them."""
