"""A network and all it needs to be a detector: card, calibration, runtimes."""
