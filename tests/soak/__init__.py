"""Tests of the soak: that it sees."""
