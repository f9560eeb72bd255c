"""The fused operations: one file each, with the torch reference, the fake, autograd and the user's function."""
