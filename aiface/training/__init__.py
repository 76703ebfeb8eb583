"""Crops to a detector."""
