"""Search Keras architectures and learn why one is better."""

__version__ = "0.1.0"
