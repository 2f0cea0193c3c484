"""Comparisons, side by side, with what people use today."""
