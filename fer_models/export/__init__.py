"""Exports trained networks for other programs."""
