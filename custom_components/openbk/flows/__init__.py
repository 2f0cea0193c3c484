"""What a person is led through: adding and flashing a socket, its options and its reconfiguration."""
