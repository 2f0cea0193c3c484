"""Tests of the meter mathematics."""
