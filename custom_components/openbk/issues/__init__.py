"""What a person is told about a socket, and what can be repaired."""
