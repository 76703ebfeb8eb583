"""Ways to judge many inputs: on a cluster."""
