"""The cost of a rehearsal to the stack that it runs against."""
