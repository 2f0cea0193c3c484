"""The options of one socket."""
