"""Container logs of a compose stack, turned into answers."""

__version__ = "0.1.0"
