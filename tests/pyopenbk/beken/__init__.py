"""Tests of what OpenBeken itself defines."""
