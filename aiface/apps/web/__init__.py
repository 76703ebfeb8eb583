"""A page to drop files on."""
