"""What tests, scripts and benchmarks share."""
