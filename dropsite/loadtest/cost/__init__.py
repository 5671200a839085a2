"""What a rehearsal costs the stack it runs against."""
