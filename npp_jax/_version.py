"""Version of the package, known without installing it."""

__version__ = "0.1.0"
