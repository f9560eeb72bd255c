"""Numbers as people read them. "–" stands for a number that does not exist."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..evidence.statistics import Interval

NOTHING = "–"
MINUS = "−"
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")


def number(value: float, decimals: int, sign: bool = False) -> str:
    """``value`` with this many decimals, thousands separators and a true minus sign."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{value:+,.{decimals}f}" if sign else f"{value:,.{decimals}f}"
    if not any(c in "123456789" for c in text):  # no -0.0
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def decimals_for(uncertainties: Iterable[float], values: Iterable[float] = (), most: int = 6) -> int:
    """Decimals that show two digits of the middle uncertainty, or four digits of the middle value without one."""
    halves = sorted(u for u in uncertainties if math.isfinite(u) and u > 0)
    if halves:
        return _clip(1 - _exponent(halves[len(halves) // 2]), most)
    sizes = sorted(abs(v) for v in values if math.isfinite(v) and v != 0)
    return _clip(3 - _exponent(sizes[len(sizes) // 2]), most) if sizes else 0


def decimals_of_largest(values: Iterable[float]) -> int:
    """Decimals that show three digits of the largest value: one number of them for all, in a picture or column."""
    sizes = [abs(v) for v in values if math.isfinite(v) and v != 0]
    return _clip(2 - _exponent(max(sizes)), 6) if sizes else 0


def _exponent(value: float) -> int:
    return math.floor(math.log10(value))


def _clip(decimals: int, most: int) -> int:
    return max(0, min(most, decimals))


def short(value: float) -> str:
    """Three significant digits, without an exponent between 0.001 and a million."""
    if not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6 or size < 1e-3:
        return f"{value:.2e}".replace("-", MINUS)
    return number(value, _clip(2 - _exponent(size), 6))


def plus_minus(mean: float, interval: Interval | None, decimals: int) -> str:
    """``97.21 ± 0.43``; the mean alone where there is no interval."""
    text = number(mean, decimals)
    return f"{text} ± {number(interval.half, decimals)}" if interval else text


def bracket(mean: float, interval: Interval | None, decimals: int, sign: bool = True) -> str:
    """``+1.3 [+0.4, +2.1]``; the mean alone where there is no interval."""
    text = number(mean, decimals, sign)
    return f"{text} {limits(interval, decimals, sign)}" if interval else text


def limits(interval: Interval | None, decimals: int, sign: bool = True) -> str:
    """``[+0.4, +2.1]``, or nothing."""
    return f"[{number(interval.low, decimals, sign)}, {number(interval.high, decimals, sign)}]" if interval else ""


def p_value(p: float) -> str:
    """``0.031``, or ``<0.001``."""
    if not math.isfinite(p):
        return NOTHING
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def memory(size: float) -> str:
    """Bytes in binary units."""
    if not math.isfinite(size) or size < 0:
        return NOTHING
    power = min(len(_BINARY) - 1, int(math.log(size, 1024))) if size >= 1 else 0
    return f"{number(size / 1024**power, 0 if power == 0 or size / 1024**power >= 100 else 1)} {_BINARY[power]}"


def count(value: float) -> str:
    """A whole number with thousands separators."""
    return number(value, 0)
