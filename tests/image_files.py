"""Pictures with labels at every pixel, of a suffix for each kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mtlbench.problems.images.files import encoded


def scenes(root: Path) -> None:
    """Six pictures of 12 x 16 pixels, the first without normals."""
    rng = np.random.default_rng(11)
    for i in range(6):
        label = rng.integers(0, 4, (12, 16), dtype="u1")
        label[label == 3] = 255
        kinds: dict[str, np.ndarray] = {
            "": rng.integers(0, 256, (12, 16, 3), dtype="u1"),
            "segm_gt_": label,
            "depth_gt_": rng.integers(0, 30_000, (12, 16), dtype="u2"),
            "norm_gt_": rng.integers(0, 255, (12, 16, 3), dtype="u1"),
        }
        for prefix, pixels in kinds.items() if i else list(kinds.items())[:3]:
            (root / f"{prefix}scene{i}.png").write_bytes(encoded(pixels))
