"""The entry of ``python -m soak.host_process``: the host's side of a run in a process that can be killed."""

from simulator.alone import run_alone

run_alone("soak.host")
