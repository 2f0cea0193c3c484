"""Tests of the OpenBeken integration, its library and its simulator."""
