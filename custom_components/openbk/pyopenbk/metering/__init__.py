"""Meter mathematics: calibration, correction and energy."""
