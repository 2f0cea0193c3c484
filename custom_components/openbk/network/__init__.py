"""The ways to sockets: MQTT, HTTP and what announces itself."""
