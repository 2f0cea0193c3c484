"""Tests of the state of a running socket, inside Home Assistant."""
