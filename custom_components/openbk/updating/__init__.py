"""Firmware over the air: one socket at a time, what it had before put back, and what became of it."""
