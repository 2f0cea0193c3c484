"""Tests of readings beside a reference instrument."""
