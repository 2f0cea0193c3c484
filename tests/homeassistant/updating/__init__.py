"""Tests of firmware over the air, inside Home Assistant."""
