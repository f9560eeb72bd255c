"""A weighting, a problem and an architecture for mtlbench."""
