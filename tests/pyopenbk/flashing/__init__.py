"""Tests of flashing jobs."""
