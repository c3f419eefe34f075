"""The fit behind `curve_fit` and `least_squares`: a residual function, traced where it can be.

A traced function is minimised by the compiled solver, with exact derivatives; any other, and one
whose residuals are mixed by a matrix, by `plain_solver` in NumPy.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .. import expression as ex
from ..compiler import compile_law
from ..errors import InputError
from ..execution import MAX_EVALUATIONS, TOLERANCE, seed_from
from ..expression import Variable
from ..losses import Squared
from ..starts import quasi_random
from . import plain_solver
from .robust import Robust
from .trace import NotTracedWarning, Traced, TraceError, trace

__all__ = ["End", "Residuals", "minimise", "starts_around"]

Floats = NDArray[np.float64]

SPREAD_STARTS = 16  # of a traced function, p0 among them
TOURNAMENT = 8  # points of which one becomes a start
SAME = 1e-6  # relative difference of the cost below which the user's own start counts
_NAMES = [name for name, _, _ in _core.statuses]
_ENDED = np.array([ok for _, ok, _ in _core.statuses])
_SENTENCE = [sentence for _, _, sentence in _core.statuses]


@dataclass
class End:
    """Where the best start ended.

    Attributes
    ----------
    x : ndarray of shape (n,)
    f : ndarray of shape (m,)
        Residuals at x, before the loss.
    jacobian : ndarray of shape (m, n)
        Of f.
    status : int
        As SciPy's: 1 to 4 where it converged, 0 out of evaluations, -1 no progress.
    message : str
    nfev, njev : int
        Evaluations of all starts.
    """

    x: Floats
    f: Floats
    jacobian: Floats
    status: int
    message: str
    nfev: int
    njev: int


class Residuals:
    """Residuals ``(model(x) - target) / sigma``, perhaps mixed by a matrix.

    Parameters
    ----------
    model : callable
        From a sequence of n parameters to a number or an array of shape (m,); the user's own code.
    target : ndarray of shape (m,)
    sigma : ndarray of shape (m,), optional
    whitener : callable, optional
        Applied to residuals and Jacobian instead of dividing by sigma.
    jacobian : callable, optional
        The user's derivatives of the model, from (n,) to (m, n).
    """

    def __init__(
        self,
        model: Callable[[Sequence[Any]], Any],
        target: Floats,
        sigma: Floats | None = None,
        whitener: Callable[[Floats], Floats] | None = None,
        jacobian: Callable[[Floats], Any] | None = None,
    ) -> None:
        self.model, self.target, self.sigma = model, target, sigma
        self.whitener, self.jacobian = whitener, jacobian
        self.traced: Traced | None = None
        self._program: _core.Program | None = None

    def values(self, x: Floats) -> Floats:
        """Call the user's function, shape (m,)."""
        value = np.asarray(self.model(list(x)))
        if value.shape != self.target.shape:
            try:
                value = np.broadcast_to(value, self.target.shape)
            except ValueError:
                if value.size != self.target.size:
                    raise InputError(
                        f"the function returns an array of shape {value.shape}; expected "
                        f"{self.target.shape}, as the data"
                    ) from None
                value = value.reshape(self.target.shape)
        return np.array(value, dtype=float)

    def weighted(self, values: Floats) -> Floats:
        """Divide residuals, or rows of a Jacobian, by sigma."""
        if self.whitener is not None:
            return self.whitener(values)
        if self.sigma is None:
            return values
        return values / (self.sigma if values.ndim == 1 else self.sigma[:, None])

    def residuals(self, x: Floats) -> Floats:
        """Return what is minimised, from the user's function, shape (m,)."""
        return self.weighted(self.values(x) - self.target)

    def derivatives(self, x: Floats, low: Floats, high: Floats) -> Floats:
        """Return the Jacobian of the residuals, shape (m, n)."""
        if self._program is not None and self.traced is not None:
            columns = list(self.traced.columns.values())
            _, jacobian = self._program.values_and_jacobian(columns, len(self.target), x)
        elif self.jacobian is not None:
            jacobian = np.asarray(self.jacobian(x), dtype=float)
            if jacobian.shape != (len(self.target), len(x)):
                raise InputError(
                    f"jac returns an array of shape {jacobian.shape}; expected "
                    f"({len(self.target)}, {len(x)})"
                )
        else:
            jacobian = plain_solver.numerical_jacobian(self.values, x, low, high)
        return self.weighted(jacobian)

    def try_to_trace(self, x0: Floats, low: Floats, name: str, stacklevel: int) -> None:
        """Trace the model and compare it with the user's own near x0; warn where it fails."""
        reason = ""
        try:
            traced = trace(self.model, len(x0), len(self.target), [bool(v > 0) for v in low])
            program = traced.program()
            if not self._agrees(traced, program, x0):
                reason = "the expression and the function differ"
        except TraceError as error:
            reason = str(error)
        except (RecursionError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
        if not reason:
            self.traced, self._program = traced, program
            return
        warnings.warn(
            f"{name} cannot be turned into an expression ({reason}); it is called from Python "
            "instead, with numerical derivatives where none are given: correct, but slower",
            NotTracedWarning,
            stacklevel=stacklevel + 1,
        )

    def _agrees(self, traced: Traced, program: _core.Program, x0: Floats) -> bool:
        columns = list(traced.columns.values())
        shift = quasi_random(2, np.full(len(x0), -1.0), np.full(len(x0), 1.0), 1)
        points = [x0, x0 * (1.0 + 0.1 * shift[0]) + 0.01 * (x0 == 0), x0 * (1.0 + 0.5 * shift[1])]
        for x in points:
            with np.errstate(all="ignore"):
                try:
                    real = self.values(x)
                except Exception:
                    if x is x0:
                        raise
                    continue  # outside what the function is made for
            ours = program.values(columns, len(real), x)
            seen = np.isfinite(real)
            size = np.max(np.abs(real[seen]), initial=0.0)
            off = np.abs(ours[seen] - real[seen])
            if not np.all(off <= 1e-10 * np.abs(real[seen]) + 1e-12 * size):
                return False
        return True


def starts_around(x0: Floats, low: Floats, high: Floats, count: int, seed: int) -> Floats:
    """Spread points about a start: each value of its own sign, from a tenth to ten times its size.

    A value of zero is spread from -1 to 1. The box holds all points.

    Returns
    -------
    ndarray of shape (count, n)
    """
    n = len(x0)
    unit = quasi_random(count, np.full(n, -1.0), np.full(n, 1.0), seed)
    points = np.where(x0 == 0, unit, x0 * 10.0**unit)
    inside = np.clip(points, low, high)
    both = np.isfinite(low) & np.isfinite(high)
    width = np.where(both, high - low, 0.0)
    # Where the box is narrow beside that, spread over the box itself.
    fill = np.where(both, low, 0.0) + 0.5 * (unit + 1.0) * width
    return np.where(both & (inside != points), fill, inside)


def minimise(
    problem: Residuals,
    x0: Floats,
    low: Floats,
    high: Floats,
    robust: Robust,
    *,
    n_starts: int | None,
    rng: Any,
    max_evaluations: int = 0,
) -> End:
    """Minimise from x0 and from points about it; the lowest end counts, x0's own among equals.

    Parameters
    ----------
    problem : Residuals
    x0, low, high : ndarray of shape (n,)
    robust : Robust
    n_starts : int, optional
        x0 included. None: 16 where the function is traced and not periodic, else 1.
    rng : int, Generator or None
    max_evaluations : int
        Per start; 0 for the default.
    """
    in_core = problem.traced is not None and problem.whitener is None
    if n_starts is None:
        may_spread = in_core and problem.traced is not None and not problem.traced.periodic()
        n_starts = SPREAD_STARTS if may_spread else 1
    if in_core:
        return _by_core(problem, x0, low, high, robust, n_starts, seed_from(rng), max_evaluations)
    seed = seed_from(rng) if n_starts > 1 else 0
    starts = np.vstack([x0, starts_around(x0, low, high, n_starts - 1, seed)])
    best: plain_solver.PlainResult | None = None
    nfev = njev = 0
    for start in starts:
        one = plain_solver.minimise(
            problem.residuals,
            start,
            low,
            high,
            robust,
            jacobian=lambda x: problem.derivatives(x, low, high),
            max_evaluations=max_evaluations,
        )
        nfev, njev = nfev + one.nfev, njev + one.njev
        if best is None or (one.status > 0, -one.cost * (1 + SAME)) > (best.status > 0, -best.cost):
            best = one
    assert best is not None
    return End(best.x, best.f, best.jacobian, best.status, _PLAIN[best.status], nfev, njev)


_PLAIN = {
    -1: "The residuals are not finite at the initial point.",
    0: "The maximum number of function evaluations is exceeded.",
    1: "The residuals are orthogonal to the columns of the Jacobian: a minimum.",
    2: "The cost cannot be made smaller within working precision.",
    3: "The step cannot be made smaller within working precision.",
}
_CORE = {
    "converged": 1,
    "at_bound": 1,
    "exact": 2,
    "stalled": 3,
    "evaluation_limit": 0,
    "sliding": 0,
}


def _by_core(
    problem: Residuals,
    x0: Floats,
    low: Floats,
    high: Floats,
    robust: Robust,
    n_starts: int,
    seed: int,
    max_evaluations: int,
) -> End:
    traced = problem.traced
    assert traced is not None
    columns, target, sigma = dict(traced.columns), problem.target, problem.sigma
    program, loss = problem._program, robust.core
    assert program is not None
    if loss is None:  # the root of the loss becomes the residual
        columns |= {"target": target, "sigma": np.ones_like(target) if sigma is None else sigma}
        difference = ex.add(traced.node, ex.negate(Variable("target")))
        node = robust.root_node(ex.divide(difference, Variable("sigma", True)))
        program = compile_law(node, variables=list(columns), parameters=traced.parameters)
        target, sigma, loss = np.zeros_like(target), None, Squared()
    n = len(x0)

    def objective(typical: Floats) -> _core.Objective:
        return _core.Objective(
            program,
            list(columns.values()),
            target,
            None,
            sigma,
            loss._core(),
            False,
            0.0,
            np.arange(n, dtype=np.int32)[None, :],
            np.zeros((1, n)),
            n,
            low,
            high,
            typical,
        )

    limit = max_evaluations if max_evaluations > 0 else MAX_EVALUATIONS
    # Waking threads takes longer than a small fit.
    threads = 0 if len(target) * n_starts > 50_000 else 1

    def run(one: _core.Objective, starts: Floats) -> Any:
        return _core.multistart(one, starts, TOLERANCE, limit, True, threads, None)

    size = np.abs(x0)
    first = objective(np.where(size > 0, 0.5 * size, 1.0))
    found = [run(first, x0[None, :])]
    if n_starts > 1 and _NAMES[found[0]["status"][0]] != "exact":
        points = starts_around(x0, low, high, (n_starts - 1) * TOURNAMENT, seed)
        values = first.values_at(points, threads).reshape(n_starts - 1, TOURNAMENT)
        chosen = np.where(np.isfinite(values), values, np.inf).argmin(axis=1)
        starts = points.reshape(n_starts - 1, TOURNAMENT, n)[np.arange(n_starts - 1), chosen]
        largest = np.max(np.abs(starts), axis=0)
        found.append(run(objective(np.where(largest > 0, largest, 1.0)), starts))
    cost = np.concatenate([f["objective"] for f in found])
    status = np.concatenate([f["status"] for f in found])
    x = np.concatenate([f["x"] for f in found])
    cost = np.where(np.isfinite(cost), cost, np.inf)
    good = np.where(_ENDED[status], cost, np.inf)
    ranked = good if np.isfinite(good).any() else cost
    best = int(np.argmin(ranked))
    least = ranked[best]
    size = target if sigma is None else target / sigma
    floor = 0.5 * float(np.sum((np.finfo(float).eps * size) ** 2))  # of residuals that are rounding
    if ranked[0] <= least * (1 + SAME) + 4.0 * (np.sqrt(least * floor) + floor):
        best = 0
    nfev = int(sum(f["evaluations"].sum() for f in found))
    name, sentence = _NAMES[status[best]], _SENTENCE[status[best]]
    if not np.isfinite(cost[best]):
        nan = np.full((len(target), n), np.nan)
        return End(x0, problem.residuals(x0), nan, -1, _PLAIN[-1], nfev, nfev)
    f = problem.residuals(x[best])
    jacobian = problem.derivatives(x[best], low, high)
    return End(x[best], f, jacobian, _CORE.get(name, -1), sentence, nfev, nfev)
