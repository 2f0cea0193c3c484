"""A socket that is not there: chip, flash, OpenBeken, meter and load."""
