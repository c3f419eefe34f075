"""What makes a fit doubtful: checks with stable codes, each with a remedy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import expression as ex
from ..tables import named
from .contributions import Contributions, contributions, derivatives_at, problem_of
from .covariance import _scaled, active_coordinates, degrees_of_freedom

if TYPE_CHECKING:
    from ..problem import Problem
    from ..result import Fit

__all__ = ["CODES", "Diagnosis", "diagnose", "quick_warnings"]

Floats = NDArray[np.float64]

LARGE = 100_000  # rows of a table that warnings do not go through
PAIR_NOTE, PAIR_WARNING = 0.99, 0.9999
ILL_CONDITIONED = 1e8
CHECKPOINTS = 10
SIGNIFICANT = 3.3  # standard errors of a rank correlation: 1 in 1,000 by chance
NEGLIGIBLE = 1e-12
RUN_COLUMNS = ("run", "run_id", "run_name", "checkpoint", "ckpt", "step", "steps")


@dataclass(frozen=True)
class Code:
    """What a diagnosis of one code means; `docs/diagnoses.md` lists them."""

    severity: str
    meaning: str
    example: str
    remedy: str


CODES: dict[str, Code] = {
    "not-converged": Code(
        "warning",
        "The best start stopped before it reached a minimum.",
        "The limit of evaluations was met on a table with a law far from the data.",
        "Give starts nearer to the data, bounds, or a simpler law.",
    ),
    "lonely-minimum": Code(
        "warning",
        "Only one start reached the best objective, so a better one may have been missed.",
        "1 of 50 starts of a law with two breaks.",
        "Try more starts: starts=1000.",
    ),
    "at-bound": Code(
        "warning",
        "A parameter ended at a bound; its standard error is not defined there.",
        "alpha = 2 with bounds (0, 2).",
        "Widen the bound, or fix the parameter and say so.",
    ),
    "term-vanished": Code(
        "warning",
        "A scale factor ran towards zero: the data do not need its term.",
        "E = 1e-20 on runs that do not reach the flat part of the curve.",
        "Leave the term out (fixed={'E': 0}), or allow negative values with "
        "Parameter(..., transform='identity').",
    ),
    "no-degrees-of-freedom": Code(
        "warning",
        "There are no more rows than fitted parameters, so the fit says nothing of its own error.",
        "5 runs for the 5 parameters of the Chinchilla law.",
        "Add runs, or fix or tie parameters.",
    ),
    "few-rows": Code(
        "warning",
        "There are fewer than two rows per fitted parameter.",
        "8 runs for 5 parameters.",
        "Add runs, or fix or tie parameters.",
    ),
    "few-levels": Code(
        "warning",
        "A variable takes too few values to determine the parameters of its terms.",
        "2 model sizes for A / N**alpha + E.",
        "Add runs at other values, or fix a parameter of the term.",
    ),
    "collinear-variables": Code(
        "warning",
        "Two variables move together, so their effects cannot be told apart.",
        "All runs at 20 tokens per parameter.",
        "Add runs that change one of the two at a time.",
    ),
    "undetermined": Code(
        "warning",
        "A combination of parameters has no influence on the residuals.",
        "A * B / N**alpha: only the product of A and B counts.",
        "Fix one of the parameters, or write the law without the surplus one.",
    ),
    "ill-conditioned": Code(
        "warning",
        "The information matrix is near singular: estimates move together over wide ranges.",
        "Two exponents on variables that hardly vary.",
        "Use profiles for intervals, add runs where the variables vary, or fix a parameter.",
    ),
    "inseparable-pair": Code(
        "warning",
        "Two estimates are so correlated that only one combination of them is known.",
        "log A and alpha on model sizes that differ by a factor of 2.",
        "Report the pair together (fit.contour), or widen the range of the variable.",
    ),
    "rounding": Code(
        "note",
        "Printed coefficients need many digits, or predictions move by a tenth of the residuals.",
        "alpha = 0.34 for 0.3478 in a table of a paper changes losses by more than their noise.",
        "Print the digits named, or use fit.save().",
    ),
    "few-rows-beyond-break": Code(
        "warning",
        "Next to no rows lie on one side of a break, which they cannot place then.",
        "1 of 40 runs beyond the break of a broken power law.",
        "Add runs beyond the break, or use a law without it.",
    ),
    "checkpoints-mixed": Code(
        "warning",
        "Rows look like checkpoints of single runs, whose losses were measured before the learning "
        "rate had decayed, and which are not independent.",
        "200 rows of 10 runs, one per 1,000 steps.",
        "Keep the last row of each run (where=...), or use covariance(kind='cluster', by=...).",
    ),
    "heteroscedastic": Code(
        "warning",
        "Residuals are larger in one part of the range than in another.",
        "Small models scatter by 1 %, large ones by 0.1 %.",
        "Use sandwich covariances (the default), give sigma, or a law that fits the whole range.",
    ),
    "autocorrelated": Code(
        "warning",
        "Residuals of neighbouring rows resemble each other: the law misses a trend, or rows "
        "depend on each other.",
        "A curve with a bend fitted by a straight power law.",
        "Compare other laws, or use covariance(kind='cluster', by=...).",
    ),
    "heavy-tails": Code(
        "warning",
        "Single residuals are far larger than the others, and least squares follows them.",
        "One diverged run in a fit with Squared().",
        "Look at these rows; use a robust loss such as Huber(1e-3).",
    ),
}


@dataclass(frozen=True)
class Diagnosis:
    """One thing that makes a fit doubtful.

    Attributes
    ----------
    code : str
        Stable; the keys of `CODES`.
    message : str
        What was found in this fit.
    example, remedy : str
        A typical case, and what to do.
    severity : {"warning", "note"}
    """

    code: str
    message: str
    example: str
    remedy: str
    severity: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.message} [{self.code}]"


def diagnose(fit: Fit) -> tuple[Diagnosis, ...]:
    """Return what makes a fit doubtful, warnings before notes.

    A fit read from a file has no table and is judged by its result alone.
    """
    found = list(_of_result(fit))
    if fit._problem is not None:
        problem, x = problem_of(fit)
        found += _of_design(fit, problem)
        rows = contributions(fit)
        found += _of_curvature(fit, problem, rows)
        found += _of_rounding(fit, problem, x, rows)
        found += _of_checkpoints(problem)
        found += _of_residuals(fit, problem, rows)
    return tuple(sorted(found, key=lambda d: d.severity != "warning"))


def quick_warnings(fit: Fit) -> tuple[str, ...]:
    """Return the messages of the warnings that cost nothing to find."""
    found = list(_of_result(fit))
    if fit._problem is not None and fit._problem.runs.n <= LARGE:
        found += _of_design(fit, fit._problem)
    return tuple(d.message for d in found if d.severity == "warning")


def _diagnosis(code: str, message: str, severity: str = "") -> Diagnosis:
    known = CODES[code]
    return Diagnosis(code, message, known.example, known.remedy, severity or known.severity)


# --- the result itself ----------------------------------------------------------------------------


def _of_result(fit: Fit) -> Iterator[Diagnosis]:
    if not fit.success:
        yield _diagnosis("not-converged", f"the best start did not converge: {fit.message}")
    starts = fit.starts
    different = starts.n - starts.repeated
    if different > 1 and starts.hits - starts.hits_repeated == 1:
        of = f"{different} different starts" if starts.repeated else f"{different} starts"
        yield _diagnosis(
            "lonely-minimum", f"only one of {of} reached the best objective; try more starts"
        )
    if fit.at_bound:
        yield _diagnosis("at-bound", f"at a bound: {named(fit.at_bound)}")
    positive = {p.name for p in fit.law.parameters if p.transform == "log"}
    tiny = [n for n in fit.free if n.partition("[")[0] in positive and fit.params[n] < NEGLIGIBLE]
    if tiny:
        yield _diagnosis(
            "term-vanished",
            f"ran towards zero: {named(tiny)}; the data may not need this term, or want it "
            "negative (declare Parameter(..., transform='identity'))",
        )


# --- rows and variables ---------------------------------------------------------------------------


def _of_design(fit: Fit, problem: Problem) -> Iterator[Diagnosis]:
    weights = problem.settings.weights
    counted = np.ones(problem.runs.n, dtype=bool) if weights is None else weights > 0
    n, p = int(counted.sum()), len(fit.free)
    if p == 0:
        return
    if n <= p:
        yield _diagnosis(
            "no-degrees-of-freedom",
            f"{n} rows for {p} fitted parameters: nothing is left to estimate the noise from",
        )
    elif n < 2 * p:
        yield _diagnosis("few-rows", f"only {n} rows for {p} fitted parameters")
    tree = problem.law.tree
    columns = {v: c[counted] for v, c in zip(problem.variables, problem.columns, strict=True)}
    yield from _of_levels(fit, tree, columns)
    yield from _of_collinearity(columns)
    yield from _of_breaks(fit, tree, columns)


def _of_levels(fit: Fit, tree: ex.Node, columns: dict[str, Floats]) -> Iterator[Diagnosis]:
    """Count, for each variable, the parameters of the terms that have it and no other."""
    free = {n.partition("[")[0] for n in fit.free}
    for variable, column in columns.items():
        levels = len(np.unique(column))
        if levels == 1:
            yield _diagnosis("few-levels", f"all rows have the same {variable}")
            continue
        inside: set[str] = set()
        for term in ex.addends(tree):
            used = {node.name for node in ex.walk(term) if isinstance(node, ex.Name)}
            if used & set(columns) == {variable}:
                inside |= used & free
        if len(inside) > 1 and levels < len(inside) + 1:
            yield _diagnosis(
                "few-levels",
                f"only {levels} distinct {variable} for {named(sorted(inside))}",
            )


def _of_collinearity(columns: dict[str, Floats]) -> Iterator[Diagnosis]:
    logs = {v: np.log(c) for v, c in columns.items() if c.min() > 0 and np.ptp(np.log(c)) > 1e-9}
    seen = list(logs)
    for i, a in enumerate(seen):
        for b in seen[i + 1 :]:
            r = float(np.corrcoef(logs[a], logs[b])[0, 1])
            if abs(r) <= PAIR_NOTE:
                continue
            ratio = logs[b] - logs[a]
            what = f"{a} and {b} move together (correlation {r:.4f} of their logarithms)"
            if np.ptp(ratio) < math.log(1.5):
                what += f": {b} / {a} is near {math.exp(float(np.median(ratio))):.3g} in all rows"
            yield _diagnosis("collinear-variables", what)


def _of_breaks(fit: Fit, tree: ex.Node, columns: dict[str, Floats]) -> Iterator[Diagnosis]:
    for variable, parameter in sorted(_breaks(tree, set(columns), set(fit.params))):
        at = fit.params[parameter]
        below = int(np.sum(columns[variable] < at))
        above = len(columns[variable]) - below
        if min(below, above) < 3:
            side = "below" if below < above else "above"
            yield _diagnosis(
                "few-rows-beyond-break",
                f"{min(below, above)} of {below + above} rows have {variable} {side} the break "
                f"{parameter} = {at:.4g}",
            )


def _breaks(tree: ex.Node, variables: set[str], parameters: set[str]) -> set[tuple[str, str]]:
    """Return pairs of a variable and the parameter at which its law changes.

    They are compared with each other, or divided inside 1 + (x / d)**..., max(...) or min(...).
    """

    def pair(a: ex.Node, b: ex.Node) -> set[tuple[str, str]]:
        if not (isinstance(a, ex.Name) and isinstance(b, ex.Name)):
            return set()
        both = {(a.name, b.name), (b.name, a.name)}
        return {(x, d) for x, d in both if x in variables and d in parameters}

    def quotients(node: ex.Node) -> set[tuple[str, str]]:
        return {
            p
            for inner in ex.walk(node)
            if isinstance(inner, ex.Apply) and inner.function == "div"
            for p in pair(*inner.arguments)
        }

    found: set[tuple[str, str]] = set()
    for node in ex.walk(tree):
        if not isinstance(node, ex.Apply):
            continue
        if node.function in ex.COMPARISONS or node.function in ("min", "max"):
            if len(node.arguments) == 2:
                found |= pair(*node.arguments)
            if node.function in ("min", "max"):
                found |= quotients(node)
        elif node.function == "add" and ex.ONE in ex.addends(node):
            for term in ex.addends(node):
                if isinstance(term, ex.Apply) and term.function == "pow":
                    found |= quotients(term.arguments[0])
    return found


# --- curvature ------------------------------------------------------------------------------------


def _of_curvature(fit: Fit, problem: Problem, rows: Contributions) -> Iterator[Diagnosis]:
    active = [k for k in active_coordinates(fit, problem) if k < rows.n_location]
    if len(active) < 2:
        return
    j = rows.jacobian[:, active]
    matrix, _ = _scaled(j.T @ (j * rows.weight[:, None]))
    labels = [problem.free[k] for k in active]
    if not np.isfinite(matrix).all():
        return
    value, vector = np.linalg.eigh(matrix)
    still = [n for n, s in zip(labels, np.diag(matrix), strict=True) if s == 0.0]
    flat = value <= 1e-13 * value[-1]
    if still or flat.any():
        mixed = np.abs(vector[:, flat]).max(axis=1, initial=0.0) > 1e-3
        names = still or [n for n, m in zip(labels, mixed, strict=True) if m]
        yield _diagnosis(
            "undetermined",
            f"the rows do not determine {named(names)}" + (" together" if len(names) > 1 else ""),
        )
        return
    condition = float(value[-1] / value[0])
    if condition > ILL_CONDITIONED:
        direction = vector[:, 0] / np.abs(vector[:, 0]).max()
        names = [n for n, d in zip(labels, direction, strict=True) if abs(d) > 0.1]
        yield _diagnosis(
            "ill-conditioned",
            f"the information matrix has the condition number {condition:.2g}; "
            f"least known is a combination of {named(names)}",
        )
    inverse = np.linalg.inv(matrix)
    roots = np.sqrt(np.diag(inverse))
    correlation = inverse / np.outer(roots, roots)
    for a in range(len(labels)):
        for b in range(a):
            r = float(correlation[a, b])
            if abs(r) > PAIR_NOTE:
                yield _diagnosis(
                    "inseparable-pair",
                    f"the estimates of {labels[b]} and {labels[a]} have the correlation {r:.5f}",
                    "warning" if abs(r) > PAIR_WARNING else "note",
                )


def _of_rounding(fit: Fit, problem: Problem, x: Floats, rows: Contributions) -> Iterator[Diagnosis]:
    """Find the digits at which rounding moves predictions by a tenth of the typical residual."""
    _, jacobian = derivatives_at(problem, x)
    unit = np.ones(len(jacobian)) if problem.settings.sigma is None else problem.settings.sigma
    scale = float(np.median(np.abs(rows.u) * unit)) * (math.exp(x[-1]) if rows.has_scale else 1.0)
    if not scale > 0.0:
        return
    digits = {}
    for k, name in enumerate(problem.free):
        value = abs(fit.params[name])
        if value == 0.0 or not math.isfinite(value) or name in fit.at_bound:
            continue
        by_unit = jacobian[:, k] / value if problem._is_log(name) else jacobian[:, k]
        steepest = float(np.max(np.abs(by_unit)))
        if not (steepest > 0.0 and math.isfinite(steepest)):
            continue
        allowed = 0.1 * scale / steepest  # half a unit of the last digit
        last = math.floor(math.log10(2.0 * allowed))
        digits[name] = max(math.floor(math.log10(value)) - last + 1, 1)
    many = {n: d for n, d in digits.items() if d > 3}
    if many:
        listed = ", ".join(f"{n} {d}" for n, d in many.items())
        yield _diagnosis(
            "rounding",
            f"predictions stay within a tenth of the typical residual only with so many "
            f"significant digits: {listed}",
        )


# --- rows that are not independent runs -----------------------------------------------------------


def _of_checkpoints(problem: Problem) -> Iterator[Diagnosis]:
    by_name = {c.lower(): c for c in problem.runs}
    hints = [
        by_name[h] for h in RUN_COLUMNS if h in by_name and by_name[h] not in problem.variables
    ]
    if "D" not in problem.variables:
        return
    d = problem.columns[problem.variables.index("D")]
    runs = [h for h in hints if h.lower().startswith("run")]
    if runs:
        labels, key = problem.runs.texts(runs[0]), runs[0]
    elif "N" in problem.variables:
        labels, key = problem.columns[problem.variables.index("N")].astype(str), "N"
    else:
        return
    _, group = np.unique(labels, return_inverse=True)
    group = group.ravel()
    least = 3 if runs else CHECKPOINTS
    # Checkpoints of one run are rows one after another, in order of training.
    follows = (group[1:] == group[:-1]) & (np.diff(d) > 0)
    count = np.bincount(group)
    steps = np.bincount(group[1:][follows], minlength=len(count))
    curves = int(np.sum((count >= least) & (steps == count - 1)))
    if curves:
        sure = bool(hints)
        yield _diagnosis(
            "checkpoints-mixed",
            f"{curves} value{'s' * (curves != 1)} of {key} with {least} or more rows of rising D: "
            "they look like checkpoints of single runs"
            + (f" (there is a column {hints[0]!r})" if sure else ""),
            "warning" if sure else "note",
        )


# --- residuals ------------------------------------------------------------------------------------


def _of_residuals(fit: Fit, problem: Problem, rows: Contributions) -> Iterator[Diagnosis]:
    counted = (rows.weight > 0) & rows.known
    u = rows.u[counted]
    n = len(u)
    if n < 20 or rows.rows <= len(fit.free) or not np.ptp(u) > 0.0:
        return
    columns = {v: c[counted] for v, c in zip(problem.variables, problem.columns, strict=True)}
    size = np.abs(u)
    worst, at = 0.0, ""
    for name, column in columns.items():
        z = _rank_correlation(column, size) * math.sqrt(n - 1)
        if abs(z) > abs(worst):
            worst, at = z, name
    if abs(worst) > SIGNIFICANT:
        yield _diagnosis(
            "heteroscedastic",
            f"residuals {'grow' if worst > 0 else 'shrink'} with {at} "
            f"(rank correlation {worst / math.sqrt(n - 1):.2f})",
        )
    dof = degrees_of_freedom(fit, rows)
    for name, column in columns.items():
        others = [c for v, c in columns.items() if v != name]
        order = np.lexsort((column, *others)) if others else np.argsort(column, kind="stable")
        ranks = _ranks(u[order])
        # Fitted residuals of p parameters are a little less alike than errors, by p / n.
        r = float(np.corrcoef(ranks[:-1], ranks[1:])[0, 1]) * n / dof
        if r * math.sqrt(n) > SIGNIFICANT:
            yield _diagnosis(
                "autocorrelated",
                f"residuals of rows that are neighbours in {name} resemble each other "
                f"(correlation {min(r, 1.0):.2f})",
            )
            break
    typical = float(np.median(np.abs(u - np.median(u)))) / 0.6745
    if fit.loss.kind == "squared" and typical > 0.0:
        far = np.flatnonzero(size > 6.0 * typical)
        if far.size:
            first = int(np.flatnonzero(counted)[far[int(np.argmax(size[far]))]])
            yield _diagnosis(
                "heavy-tails",
                f"{far.size} residual{'s' * (far.size != 1)} beyond 6 robust standard deviations, "
                f"the largest in {problem.runs.row_label(first)}, under squared loss",
            )


def _ranks(values: Floats) -> Floats:
    """Return ranks, equal values sharing theirs."""
    _, inverse, count = np.unique(values, return_inverse=True, return_counts=True)
    end = np.cumsum(count)
    return np.asarray((end - 0.5 * (count - 1))[inverse.ravel()], dtype=float)


def _rank_correlation(a: Floats, b: Floats) -> float:
    a, b = _ranks(a), _ranks(b)
    if np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
