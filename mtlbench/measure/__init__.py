"""Measurement: time, memory, other load on the machine, and the environment of a measurement."""
