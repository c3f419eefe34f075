"""Reducers: from raw runs to the points that a law is fitted to."""

from .common import Dropped
from .envelope import Envelope, envelope
from .isoflop import IsoFlop, isoflop
from .power_law import PowerLaw, power_law

__all__ = [
    "Dropped",
    "Envelope",
    "IsoFlop",
    "PowerLaw",
    "envelope",
    "isoflop",
    "power_law",
]
