"""What a file says of its own origin, which has no part in a verdict."""
