"""What the notebooks show and are run by."""
