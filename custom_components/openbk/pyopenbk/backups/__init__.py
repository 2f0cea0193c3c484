"""Backups of chips: files that are complete, private and verified."""
