"""Instruments: clock, memory, other work on the machine, and the environment a number was measured in."""
