"""Nonet: nine pictures from one line of text."""

__version__ = "0.1.0"
