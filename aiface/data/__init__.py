"""Folders of labelled pictures to crops to training batches."""
