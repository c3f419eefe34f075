"""Reducers: from raw runs to the points that a law is fitted to."""

from .common import Dropped
from .envelope import Envelope, envelope
from .hyperparameters import Optima, best_hyperparameter
from .isoflop import IsoFlop, isoflop
from .pass_at_k import Coverage, coverage, pass_at_k
from .pca import Components, principal_components
from .power_law import PowerLaw, power_law
from .records import Records, records
from .schedule import annealing_areas, constant, cosine, with_areas, wsd
from .seeds import Aggregated, aggregate_seeds
from .steps_to_target import StepsToTarget, isotonic, steps_to_target

__all__ = [
    "Aggregated",
    "Components",
    "Coverage",
    "Dropped",
    "Envelope",
    "IsoFlop",
    "Optima",
    "PowerLaw",
    "Records",
    "StepsToTarget",
    "aggregate_seeds",
    "annealing_areas",
    "best_hyperparameter",
    "constant",
    "cosine",
    "coverage",
    "envelope",
    "isoflop",
    "isotonic",
    "pass_at_k",
    "power_law",
    "principal_components",
    "records",
    "steps_to_target",
    "with_areas",
    "wsd",
]
