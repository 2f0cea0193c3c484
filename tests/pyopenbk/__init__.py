"""Tests of the library that knows no Home Assistant."""
