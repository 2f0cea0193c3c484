"""Tests of the options of a socket that is set up."""
