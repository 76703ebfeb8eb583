"""Where a face is, and the one crop that is made of it."""
