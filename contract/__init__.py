"""What every OpenBeken and every boot loader does, played against a simulated or a real one."""
