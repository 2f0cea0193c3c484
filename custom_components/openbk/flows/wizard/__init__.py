"""The wizard that brings a socket from its cloud firmware to Home Assistant over a serial port."""
