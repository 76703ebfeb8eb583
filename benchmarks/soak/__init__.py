"""What `make soak` does for hours, and `make test` in short: see `docs/measured/RELIABILITY.md`."""
