"""What Home Assistant takes for its folder of custom integrations."""
