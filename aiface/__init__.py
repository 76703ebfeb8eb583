"""aiface: tells AI-generated faces from real ones, in pictures, clips and webcams."""

import os

__version__ = "0.2.0"

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow greets on stderr with what it did not find
