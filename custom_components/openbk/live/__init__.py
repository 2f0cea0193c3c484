"""One running socket: its values, its clock, its calibration and what is published of it."""
