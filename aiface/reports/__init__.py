"""A judged input, for people."""
