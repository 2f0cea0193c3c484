"""Tests of what a person is told to mend."""
