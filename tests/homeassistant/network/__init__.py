"""Tests of broker, discovery and addresses, inside Home Assistant."""
