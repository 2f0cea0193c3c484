"""Tests of the simulated OpenBeken."""
