"""Bringing the readings of a socket to a reference."""
