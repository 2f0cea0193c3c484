"""OpenBeken: its images, its configuration, its MQTT and HTTP."""
