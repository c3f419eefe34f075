"""Fits in stages: parameters fitted on some rows, then frozen while others are on other rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .fitting import fit, with_row_values, with_sides
from .law import Law
from .laws import as_law
from .problem import normalise_tied
from .progress import Progress
from .result import Fit
from .runs import read
from .tables import checked, named

if TYPE_CHECKING:
    from .uncertainty.bootstrap import Bootstrap

__all__ = ["Stage", "StagedFit", "fit_stages"]

ROW = "(row)"  # a column that remembers where in the whole table a row of a stage stands


@dataclass(frozen=True)
class Stage:
    """Which parameters are fitted on which rows.

    Parameters
    ----------
    free : sequence of str
        Parameters to fit; E stands for all levels of ``E[family]``. All others stay where an
        earlier stage or `fixed` has put them.
    where : str or sequence of str, optional
        Which rows, as for `lawfit.runs.read`. Without it all.
    fixed : mapping of str to float
        Values of parameters that no earlier stage has fitted, for this stage.
    options : mapping
        Further arguments of `lawfit.fit` for this stage alone: loss, starts, penalties, ...
    """

    free: Sequence[str]
    where: str | Sequence[str] | None = None
    fixed: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StagedFit:
    """A law fitted in stages.

    Attributes
    ----------
    law : Law
    params : dict of str to float
        Every parameter as the last stage has it, in natural units.
    fits : tuple of Fit
        One per stage. What their own `bootstrap` says holds the parameters of earlier stages fixed.
    rows : tuple of ndarray
        Rows of the whole table that each stage used, from 0.
    n : int
        Rows of the whole table.
    """

    law: Law
    params: dict[str, float]
    fits: tuple[Fit, ...]
    rows: tuple[NDArray[np.intp], ...] = field(repr=False)
    n: int

    @property
    def success(self) -> bool:
        """Whether the best start of every stage converged."""
        return all(fit.success for fit in self.fits)

    def predict(self, runs: Any) -> NDArray[np.float64]:
        """Evaluate the fitted law on a table with the law's variables, shape (n,)."""
        return self.law.predict(self.params, runs)

    def bootstrap(
        self,
        draws: int = 1000,
        *,
        rng: int | np.random.Generator | None = 0,
        spread: int = 2,
        progress: Progress = False,
    ) -> Bootstrap:
        """Resample the whole table and refit all stages; see `lawfit.uncertainty.staged`."""
        from .uncertainty.staged import bootstrap_stages

        return bootstrap_stages(self, draws, rng=rng, spread=spread, progress=progress)

    def summary(self) -> str:
        """Return the stages as text."""
        parts = (
            f"stage {k}: {named(f.free)}\n{f.summary()}" for k, f in enumerate(self.fits, start=1)
        )
        return "\n\n".join(parts)


def fit_stages(
    law: Law | str,
    runs: Any,
    stages: Sequence[Stage],
    *,
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Sequence[str] | None = None,
    where: str | Sequence[str] | None = None,
    **options: Any,
) -> StagedFit:
    """Fit a law stage by stage.

    Parameters
    ----------
    law : Law or str
    runs : mapping of arrays, DataFrame, or path
    stages : sequence of Stage
        In order. A parameter may be free in several: the last one counts.
    columns, derive, where
        As for `lawfit.runs.read`, for the whole table.
    **options
        Further arguments of `lawfit.fit` for all stages. Ties hold in stages in which all of a
        group are free.

    Returns
    -------
    StagedFit

    Raises
    ------
    InputError
        As `lawfit.fit`; also if a parameter has no value in a stage, or is in none.
    FitError, Interrupted
        As `lawfit.fit`.
    """
    law = as_law(law)
    if not stages or not all(isinstance(s, Stage) for s in stages):
        raise InputError("stages must be a sequence of lf.Stage, at least one")
    for given in (options, *(s.options for s in stages)):
        checked(fit, given)
    table = read(runs, columns=columns, derive=derive, where=where)
    if "censored" in options and options["censored"] is not None:
        table, options["censored"] = with_sides(table, options["censored"])
    row_values = {k: options.pop(k) for k in ("weights", "sigma") if k in options}
    table, names = with_row_values(table, **row_values)
    table = table.with_column(ROW, np.arange(table.n, dtype=float))
    stems = [p.name for p in law.parameters_in(table)]
    tied = normalise_tied(options.pop("tied", ()))
    known: dict[str, float] = {}
    fits, rows = [], []
    for number, stage in enumerate(stages, start=1):
        free = set(stage.free)
        unknown = sorted(n for n in free if n.partition("[")[0] not in stems)
        if unknown:
            raise InputError(
                f"stage {number}: {unknown[0]!r} is not a parameter of {law}; parameters: "
                f"{named(stems)}"
            )
        held = {n: v for n, v in known.items() if not free & {n, n.partition("[")[0]}}
        held |= {n: float(v) for n, v in stage.fixed.items() if n not in known}
        for stem in stems:
            if not any(n.partition("[")[0] == stem for n in (*free, *held)):
                raise InputError(
                    f"stage {number}: {stem} is neither free nor fitted before; give it a value: "
                    f"Stage(..., fixed={{{stem!r}: ...}})"
                )
        here = {
            **options,
            **names,
            "tied": [g for g in tied if {n.partition("[")[0] for n in g} <= free or set(g) <= free],
            **stage.options,
        }
        fixed = {**here.pop("fixed", {}), **held}
        found = fit(law, table, where=stage.where, fixed=fixed, **here)
        assert found._problem is not None
        known |= found.params
        fits.append(found)
        rows.append(found._problem.runs.numbers(ROW).astype(np.intp))
    never = [s for s in stems if not any(s == n.partition("[")[0] for g in stages for n in g.free)]
    fixed_throughout = {n.partition("[")[0] for n in options.get("fixed", {})}
    left = [s for s in never if s not in fixed_throughout]
    if left:
        raise InputError(
            f"{left[0]} is free in no stage; fix it for all: fixed={{{left[0]!r}: ...}}"
        )
    return StagedFit(law, known, tuple(fits), tuple(rows), table.n)
