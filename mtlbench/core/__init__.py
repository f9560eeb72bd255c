"""The words of mtlbench. Nothing here imports another room, torch, ray or pandas."""
