"""Types of the compiled core; tests/test_stub.py compares this file with the module."""

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Operation = tuple[str, list[int]]
Reporter = Callable[[int], object]

class MultistartResult(TypedDict):
    x: Floats  # (starts, dimension)
    objective: Floats
    decrement: Floats
    status: Ints
    evaluations: Ints
    joined: Ints  # the start whose way was met and whose end is given, or -1
    repeats: Ints  # an earlier start at the same point, whose end is given, or -1
    checked: int
    refuted: int
    interrupted: bool

class BootstrapResult(TypedDict):
    x: Floats  # (draws, dimension)
    objective: Floats
    status: Ints
    evaluations: Ints
    warm_start_was_beaten: NDArray[np.bool_]
    followed: NDArray[np.bool_]  # draws in which every start went on to its end
    rows_used: Ints
    undetermined: NDArray[np.bool_]  # (draws, dimension)
    covariance: Floats | None  # (draws, dimension, dimension)
    own_covariance: Floats | None  # (dimension, dimension)
    other_evaluations: int
    claims_failed: bool
    interrupted: bool

class RayPoints(TypedDict):
    ray: Ints  # (points,) ascending; t ascends within a ray
    t: Floats
    x: Floats  # (points, dimension)
    objective: Floats
    slope: Floats  # d objective / dt
    status: Ints
    end: Ints  # (rays,) 0 reached the height, 1 open, 2 at a bound, 3 failed
    evaluations: int
    interrupted: bool

class HeldSolutions(TypedDict):
    x: Floats  # (starts, dimension)
    objective: Floats
    status: Ints
    interrupted: bool

class BatchResult(TypedDict):
    x: Floats  # (tables, dimension)
    objective: Floats
    status: Ints
    evaluations: Ints
    hits: Ints
    starts: Ints
    interrupted: bool

class GridResult(TypedDict):
    top: tuple[Floats, NDArray[np.int64]]  # values and flat indices of cells, both (k,)
    along: list[tuple[Floats, NDArray[np.int64]]]  # nan and -1 where there is no cell
    cells: int
    feasible: int
    undefined: int
    interrupted: bool

class FollowResult(TypedDict):
    best: NDArray[np.int64]  # (draws * groups,) number of the start, -1 for none
    objective: Floats  # (draws * groups,)
    x: Floats  # (draws, groups, n)
    unsettled: NDArray[np.int64]  # rows, draw * starts + start
    evaluations: int
    interrupted: bool

class Info(TypedDict):
    instruction_set: str
    instruction_sets: list[str]
    openmp: bool
    threads: int
    compiler: str
    version: str

class Program:
    def __init__(
        self,
        columns: Sequence[str],
        parameters: Sequence[str],
        constants: Sequence[float],
        data_operations: Sequence[tuple[str, Sequence[int]]],
        uniform_operations: Sequence[tuple[str, Sequence[int]]],
        row_operations: Sequence[tuple[str, Sequence[int]]],
        output: int,
    ) -> None: ...
    @property
    def columns(self) -> list[str]: ...
    @property
    def parameters(self) -> list[str]: ...
    @property
    def constants(self) -> list[float]: ...
    @property
    def data_operations(self) -> list[Operation]: ...
    @property
    def uniform_operations(self) -> list[Operation]: ...
    @property
    def row_operations(self) -> list[Operation]: ...
    @property
    def output(self) -> int: ...
    def disassemble(self) -> str: ...
    def values(self, columns: Sequence[ArrayLike], rows: int, parameters: ArrayLike) -> Floats: ...
    def values_and_jacobian(
        self, columns: Sequence[ArrayLike], rows: int, parameters: ArrayLike
    ) -> tuple[Floats, Floats]: ...

class Objective:
    def __init__(
        self,
        program: Program,
        columns: Sequence[ArrayLike],
        target: ArrayLike,
        weight: ArrayLike | None,
        sigma: ArrayLike | None,
        loss: tuple[str, float, float, float],
        scale_is_fitted: bool,
        log_normaliser: float,
        source: ArrayLike,
        value: ArrayLike,
        free_count: int,
        lower: ArrayLike,
        upper: ArrayLike,
        typical: ArrayLike,
        space: str = "linear",
        order: ArrayLike = ...,
        segment_rows: ArrayLike = ...,
        side: ArrayLike | None = None,
        penalties: Sequence[tuple[Sequence[int], Sequence[float], float]] = ...,
    ) -> None: ...
    @property
    def dimension(self) -> int: ...
    @property
    def rows(self) -> int: ...
    def value(self, x: ArrayLike) -> float: ...
    def derivatives(self, x: ArrayLike) -> tuple[float, Floats, Floats, Floats]: ...
    # repeats: evaluate so many times, to be timed without what a call costs.
    def gauss_newton(self, x: ArrayLike, repeats: int = 1) -> tuple[float, Floats, Floats]: ...
    def hessian(self, x: ArrayLike) -> Floats: ...
    def values_at(self, points: ArrayLike, threads: int = 0) -> Floats: ...
    # Points with coefficients that fit their exponents, and of each a number, the least the best.
    def screen(self, points: ArrayLike, threads: int = 0) -> tuple[Floats, Floats]: ...
    # Points with such coefficients where the objective is less with them.
    def choose_levels(
        self, points: ArrayLike, threads: int = 0, progress: Reporter | None = None
    ) -> Floats: ...

# For each start, (starts, dimension), the first one that is the same to the bit, or -1.
def earlier_same(starts: ArrayLike) -> NDArray[np.int64]: ...
def multistart(
    objective: Objective,
    starts: ArrayLike,
    tolerance: float,
    max_evaluations: int,
    early_stop: bool,
    threads: int,
    progress: Reporter | None,
) -> MultistartResult: ...

class Resampling:
    def __init__(
        self,
        kind: str,
        unit: ArrayLike,
        strata: ArrayLike,
        length: int = 1,
        webb: bool = False,
        density: tuple[str, float, float, float] = ...,
        spread: float = 1.0,
    ) -> None: ...
    def draws(
        self,
        seed: int,
        first: int,
        draws: int,
        given: ArrayLike | None = None,
        weight: ArrayLike | None = None,
    ) -> Floats: ...

def bootstrap(
    objective: Objective,
    resampling: Resampling,
    starts: ArrayLike,
    first_draw: int,
    draws: int,
    seed: int,
    early_stop: bool,
    covariance: bool,
    tolerance: float,
    max_evaluations: int,
    threads: int,
    progress: Reporter | None,
) -> BootstrapResult: ...
def fit_batch(
    program: Program,
    columns: Sequence[ArrayLike],
    offsets: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None,
    sigma: ArrayLike | None,
    loss: tuple[str, float, float, float],
    source: ArrayLike,
    value: ArrayLike,
    free_count: int,
    lower: ArrayLike,
    upper: ArrayLike,
    space: str,
    origin: ArrayLike,
    width: ArrayLike,
    typical: ArrayLike,
    points: ArrayLike,
    tournament: int,
    enough: int,
    tolerance: float,
    max_evaluations: int,
    threads: int,
    progress: Reporter | None,
) -> BatchResult: ...
def grid_search(
    names: Sequence[str],
    axes: Sequence[ArrayLike],
    objective: tuple[Program, ArrayLike],
    constraints: Sequence[tuple[Program, ArrayLike]],
    maximize: bool,
    top: int,
    along: Sequence[Sequence[int]],
    threads: int,
    progress: Reporter | None,
) -> GridResult: ...
def follow(
    planned: Sequence[str],
    functions: Sequence[Program],
    derived: Sequence[tuple[str, Program, float | None]],
    by_draw: Sequence[tuple[str, ArrayLike]],
    draws: int,
    by_start: Sequence[tuple[str, ArrayLike]],
    start: ArrayLike,
    low: Sequence[float],
    high: Sequence[float],
    inside: Sequence[bool],
    binding: Sequence[bool],
    group: Sequence[int],
    groups: int,
    threads: int,
    progress: Reporter | None,
) -> FollowResult: ...
def walk_rays(
    objective: Objective,
    x: ArrayLike,
    directions: ArrayLike,
    reach: ArrayLike,
    unit: float,
    height_step: float,
    height_end: float,
    max_points: int,
    tolerance: float,
    max_evaluations: int,
    threads: int,
    progress: Reporter | None,
) -> RayPoints: ...
def solve_held(
    objective: Objective,
    starts: ArrayLike,
    held: Sequence[int],
    tolerance: float,
    max_evaluations: int,
    threads: int,
    progress: Reporter | None,
) -> HeldSolutions: ...
def info() -> Info: ...
def select_instruction_set(name: str) -> bool: ...
def set_serial_only() -> None: ...

statuses: list[tuple[str, bool, str]]
