"""The entry of ``python -m soak.host_process``: the host's side of a run in a process that can be killed."""

import importlib

from simulator.alone import leave_home_assistant_out

leave_home_assistant_out()
importlib.import_module("soak.host").main()
