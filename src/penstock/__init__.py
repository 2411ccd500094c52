"""Penstock: a commerce data platform in one package."""

__version__ = "0.1.0"
