"""The admission controller: moves cursor and allowance of every running drop once a second.

One of several leads.
"""
