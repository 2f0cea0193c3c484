"""The factory firmware: its storage and the pins that it names."""
