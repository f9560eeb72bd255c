"""mtlbench: compare multi-task training methods, and fused training steps, with numbers that survive a referee."""
