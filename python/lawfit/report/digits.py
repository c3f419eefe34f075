"""How a report writes numbers: as many digits as their uncertainty leaves, intervals, ranges."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["extent", "interval", "plain", "rounded"]


def plain(value: float, digits: int = 4) -> str:
    """Return a number with so many significant digits; powers of ten only where needed."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "-")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if -5 <= int(exponent) < 5:
        return f"{float(f'{mantissa}e{exponent}'):.{max(digits - 1 - int(exponent), 0)}f}"
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}"


def extent(low: float, high: float) -> str:
    """Return "2 to 32": the ends of a column, without zeros that say nothing; counts in full."""
    if all(float(v).is_integer() and abs(v) < 1e7 for v in (low, high)):
        return f"{low:,.0f} to {high:,.0f}"
    ends = [f"{v:.4g}" if 1e-5 <= abs(v) < 1e4 or v == 0 else plain(v) for v in (low, high)]
    return " to ".join(ends)


def rounded(value: float, error: float, beyond: int = 2) -> str:
    """Return a number with the digits that a standard error leaves: two of the error's own.

    Estimates get three: `beyond` digits after the error's first. Rounding a scale factor and its
    exponent one by one moves predictions by more than either error suggests.
    """
    if not (math.isfinite(error) and error > 0.0 and math.isfinite(value)) or value == 0.0:
        return plain(value, 6)
    digits = math.floor(math.log10(abs(value))) - math.floor(math.log10(error)) + beyond
    return plain(value, min(max(digits, 2), 12))


def interval(ends: Sequence[float] | None) -> str:
    """Return "low to high", each with the digits that their distance leaves."""
    if ends is None or any(math.isnan(e) for e in ends):
        return "-"
    low, high = ends
    width = (high - low) / 4.0 if math.isfinite(high - low) else math.nan
    return f"{rounded(low, width)} to {rounded(high, width)}"
