"""Principal components of a table of benchmarks in which some cells are missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError, InputError
from ..runs import Runs, read
from .common import Dropped, Floats, whole_number

__all__ = ["Components", "principal_components"]

MAX_ITERATIONS = 10_000
TOLERANCE = 1e-10  # of the spread of the whole table


@dataclass(frozen=True)
class Components:
    """Scores of the rows along the directions in which the columns vary most.

    Attributes
    ----------
    points : Runs or DataFrame
        The table with the scores as columns ``S_1``, ``S_2``, ... added, and without the rows in
        `dropped`.
    names : tuple of str
        The columns that were reduced, m of them.
    mean, spread : ndarray of shape (m,)
        What was subtracted from each, and what it was divided by: ones unless standardised.
    loadings : ndarray of shape (components, m)
        Orthonormal directions. The largest entry of each, in size, is positive.
    explained : ndarray of shape (components,)
        Share of the variance of the table, with its missing cells filled in, along each.
    filled : ndarray of shape (n, m)
        The columns with missing cells replaced by what the components say.
    dropped : tuple of Dropped
    """

    points: Any
    names: tuple[str, ...]
    mean: Floats
    spread: Floats
    loadings: Floats
    explained: Floats
    filled: Floats
    dropped: tuple[Dropped, ...]

    def transform(self, runs: Any) -> Any:
        """Return another table with scores added: of each row's known cells, by least squares.

        A DataFrame comes back as one of its kind, with its own columns and index.

        Raises
        ------
        InputError
            If a row has fewer known cells than there are components.
        """
        table = read(runs)
        cells = _cells(table, self.names)
        known = np.isfinite(cells)
        _require_known(table, known, len(self.loadings))
        x = np.where(known, (cells - self.mean) / self.spread, 0.0)
        scores = np.empty((table.n, len(self.loadings)))
        for i, (row, has) in enumerate(zip(x, known, strict=True)):
            scores[i] = np.linalg.lstsq(self.loadings[:, has].T, row[has], rcond=None)[0]
        return _with_scores(table, scores).native()


def principal_components(
    runs: Any,
    names: Sequence[str],
    components: int = 3,
    *,
    standardise: bool = False,
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Iterable[str] | None = None,
    where: str | Iterable[str] | None = None,
    missing: str = "raise",
) -> Components:
    """Reduce benchmark columns to a few capabilities, with missing cells.

    Missing cells are filled with what the components say, and components taken again until nothing
    changes. The reconstruction is shrunk by the noise that the other directions show, without
    which many holes are filled with noise. Without missing cells this is the singular value
    decomposition.

    Parameters
    ----------
    runs : Runs, mapping of arrays, DataFrame or path
        A row is a model.
    names : sequence of str
        The columns to reduce; their cells may be missing.
    components : int
        How many directions.
    standardise : bool
        Whether every column is divided by the standard deviation of its known cells first.
    columns, derive, where
        As for `lawfit.runs.read`.
    missing : {"raise", "omit"}
        What to do with rows of which fewer cells are known than there are components.

    Returns
    -------
    Components

    Raises
    ------
    InputError
        If a column is missing, has fewer than two known cells or does not vary, or there are not
        enough rows or known cells.
    FitError
        If the missing cells do not settle: too few are known for so many components.

    References
    ----------
    Ruan, Maddison, Hashimoto 2024, Observational Scaling Laws, arXiv 2405.10938, section 3:
    capabilities as components of benchmarks. Shrunk filling: Josse and
    Husson 2012, Handling missing values in exploratory multivariate data analysis methods, J. SFdS
    153(2).
    """
    if missing not in ("raise", "omit"):
        raise InputError(f'missing = {missing!r} must be "raise" or "omit"')
    names = tuple(names)
    count = whole_number(components, "components", 1)
    table = read(runs, columns=columns, derive=derive, where=where)
    if len(set(names)) < len(names) or count >= len(names):
        raise InputError(
            f"{count} components need more than {count} different columns, got {list(names)}"
        )
    cells = _cells(table, names)
    known = np.isfinite(cells)
    dropped: tuple[Dropped, ...] = ()
    if missing == "omit":
        kept = known.sum(axis=1) >= count
        reason = f"fewer than {count} of the columns are known"
        labels = [table.row_label(int(i)) for i in np.flatnonzero(~kept)]
        dropped = tuple(Dropped(label, reason) for label in labels)
        table, cells, known = table.take(np.flatnonzero(kept)), cells[kept], known[kept]
    _require_known(table, known, count)
    for name, column, has in zip(names, cells.T, known.T, strict=True):
        if len(set(column[has].tolist())) < 2:
            raise InputError(f'{table.source}: column "{name}" has no two different known cells')
    if table.n < count + 2:
        raise InputError(f"{table.source} has {table.n} rows; {count} components need {count + 2}")
    spread = np.ones(len(names))
    if standardise:
        spread = np.array([c[k].std(ddof=1) for c, k in zip(cells.T, known.T, strict=True)])
    x = cells / spread
    filled, mean, scores, loadings, explained = _decompose(x, known, count)
    return Components(
        _with_scores(table, scores).native(),
        names,
        mean * spread,
        spread,
        loadings,
        explained,
        np.where(known, cells, filled * spread),
        dropped,
    )


def _decompose(
    x: Floats, known: NDArray[np.bool_], count: int
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return the filled table, means, scores, loadings and shares of variance."""
    means = np.array([c[k].mean() for c, k in zip(x.T, known.T, strict=True)])
    filled = np.where(known, x, means)
    size = np.linalg.norm(filled - means)
    for _ in range(MAX_ITERATIONS):
        mean = filled.mean(axis=0)
        u, s, v = np.linalg.svd(filled - mean, full_matrices=False)
        scores, loadings = u[:, :count] * s[:count], v[:count]
        rows, columns = x.shape
        noise = np.sum(s[count:] ** 2) / ((rows - 1 - count) * (columns - count))
        shrunk = 1.0 - np.minimum(
            1.0, noise * max(rows - 1, columns) / np.maximum(s[:count], 1e-300) ** 2
        )
        guess = np.where(known, x, mean + (scores * shrunk) @ loadings)
        change = np.linalg.norm(guess - filled)
        if change <= TOLERANCE * size:
            break
        filled = guess
    else:
        raise FitError(
            f"the missing cells do not settle: {int((~known).sum())} of {known.size} are missing, "
            f"too many for {count} components"
        )
    largest = np.argmax(np.abs(loadings), axis=1)
    sign = np.sign(loadings[np.arange(count), largest])
    explained = s[:count] ** 2 / np.sum(s**2)
    return filled, mean, scores * sign, loadings * sign[:, None], explained


def _cells(table: Runs, names: Sequence[str]) -> Floats:
    cells = np.column_stack([table.numbers(n, needed_by="principal components") for n in names])
    if np.isinf(cells).any():
        i, j = (int(k[0]) for k in np.nonzero(np.isinf(cells)))
        raise InputError(f'{table.source}: column "{names[j]}", {table.row_label(i)}: is infinite')
    return cells


def _require_known(table: Runs, known: NDArray[np.bool_], count: int) -> None:
    few = known.sum(axis=1) < count
    if few.any():
        i = int(few.argmax())
        raise InputError(
            f"{table.source}: {table.row_label(i)} has {known[i].sum()} known cells; {count} "
            f'components need {count} ({few.sum()} such rows; missing="omit" leaves them out)'
        )


def _with_scores(table: Runs, scores: Floats) -> Runs:
    for k, column in enumerate(scores.T, start=1):
        table = table.with_column(f"S_{k}", column)
    return table
