"""Tests of the boot ROM client."""
