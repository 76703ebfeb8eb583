"""Detectors that learn a small head alone, on what networks see that stay as they are."""
