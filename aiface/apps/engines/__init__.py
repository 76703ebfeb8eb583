"""Ways to judge many inputs: in this process, or on a cluster."""
