"""The entry of ``python -m demo``."""

import importlib
import sys

from simulator.alone import leave_home_assistant_out

leave_home_assistant_out()
sys.exit(importlib.import_module("demo.command_line").main())
