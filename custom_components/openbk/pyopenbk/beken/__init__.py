"""Beken chips and what lies in their flash."""
