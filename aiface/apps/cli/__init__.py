"""The command `python -m aiface`."""
