"""A broker, a simulated socket and a real Home Assistant that know each other."""
