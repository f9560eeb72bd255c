"""One seed, many independent streams: each use of chance has a name, so that none disturbs another."""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream that ``names`` describes, e.g. ``derive(3, "order", epoch)``.

    The streams in use are "split" (which rows go where), "order" (batches), "model" (initial weights, one stream per
    part) and "step" (dropout, random task weights). SHA-256 of the names makes them independent of each other and
    equal on every machine.
    """
    text = "\x1f".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
