"""Laws compared by what they predict."""

from .backtest import Backtest, Split, backtest
from .compare import Comparison, Entry, compare
from .crossover import Crossover, Gain, compute_equivalent_gain, crossover
from .likelihood import Criteria, NestedTest, criteria, nested_test
from .multiverse import Effect, Multiverse, Universe, multiverse
from .refits import Errors
from .splitters import (
    Cut,
    LeaveOneGroupOut,
    LeaveOneOut,
    RandomFolds,
    Rolling,
    Splitter,
    TrainingGrid,
)
from .weights import akaike_weights, stacking_weights

__all__ = [
    "Backtest",
    "Comparison",
    "Criteria",
    "Crossover",
    "Cut",
    "Effect",
    "Entry",
    "Errors",
    "Gain",
    "LeaveOneGroupOut",
    "LeaveOneOut",
    "Multiverse",
    "NestedTest",
    "RandomFolds",
    "Rolling",
    "Split",
    "Splitter",
    "TrainingGrid",
    "Universe",
    "akaike_weights",
    "backtest",
    "compare",
    "compute_equivalent_gain",
    "criteria",
    "crossover",
    "multiverse",
    "nested_test",
    "stacking_weights",
]
