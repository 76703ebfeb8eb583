"""Frames to people to verdicts."""
