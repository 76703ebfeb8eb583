"""Frames in and out: files, streams and cameras, sampled by timestamps."""
