"""Keras without its backend's greetings (see `aiface.io.greetings`)."""

from aiface.io.greetings import greetings_hidden

with greetings_hidden():
    import keras

    keras.ops.zeros(1)  # finds the devices, which greets again

__all__ = ["keras"]
