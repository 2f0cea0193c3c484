"""Beken sockets without Home Assistant: flash them, describe them, talk to them, calibrate them."""
