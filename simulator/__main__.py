"""The entry of ``python -m simulator``."""

import importlib
import sys

from .alone import leave_home_assistant_out

leave_home_assistant_out()
sys.exit(importlib.import_module("simulator.command_line").main())
