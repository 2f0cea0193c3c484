"""What a real OpenBeken did, as data, and replays that hold the simulated one to it."""
