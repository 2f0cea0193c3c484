"""Tests of reading factory dumps."""
