"""A law as a scikit-learn estimator, for pipelines, grid searches and cross-validation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError:
    raise ImportError(
        "ScalingLawRegressor needs scikit-learn 1.6 or later: pip install 'lawfit[sklearn]'"
    ) from None

from ..errors import InputError
from ..fitting import fit
from ..law import Law
from ..laws import as_law
from ..result import Fit

__all__ = ["ScalingLawRegressor"]

Floats = NDArray[np.float64]

TARGET = "(target)"  # no name of a column in a formula


class ScalingLawRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Fit a law to X and y.

    Parameters
    ----------
    law : Law or str, optional
        A law, the name of one of the catalogue, or a formula. None: ``c + b0*x0 + b1*x1 + ...``,
        linear in the columns, to compare laws with; where rows are fewer than coefficients, the
        smallest ones that pass through them.
    variables : sequence of str, optional
        What the columns of an array X are called in the law, in their order. Default: for a
        DataFrame its columns; for an array the law's variables, if there are as many, else x0, x1,
        ... .
    residual : {"log", "linear", "logit"}, optional
        Default: "log" with a law, "linear" without.
    loss : Loss or str, optional
        Default: ``Huber(1e-3)`` with a law, ``Squared()`` without.
    fixed, tied, bounds, starts, protocol
        As in `lawfit.fit`.
    threads : int, optional
        The result is the same for any number.
    random_state : int, RandomState or None
        Seed of the starts. None is 0: the same result each time.

    Attributes
    ----------
    fit_ : Fit or None
        The fit with its uncertainty, report and the rest; None where rows were too few for a fit.
    law_ : Law
    params_ : dict of str to float
    n_iter_ : int
        Evaluations of the best start, on average of all.
    n_features_in_, feature_names_in_
    """

    def __init__(
        self,
        law: Any = None,
        *,
        variables: Any = None,
        residual: str | None = None,
        loss: Any = None,
        fixed: Any = None,
        tied: Any = (),
        bounds: Any = None,
        starts: Any = "auto",
        protocol: str | None = None,
        threads: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.law = law
        self.variables = variables
        self.residual = residual
        self.loss = loss
        self.fixed = fixed
        self.tied = tied
        self.bounds = bounds
        self.starts = starts
        self.protocol = protocol
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ScalingLawRegressor:
        """Fit the law.

        Parameters
        ----------
        X : DataFrame or array of shape (n, columns)
        y : array of shape (n,)
        sample_weight : array of shape (n,), optional
            Multiplies the loss of each row.

        Returns
        -------
        ScalingLawRegressor
            This one.

        Raises
        ------
        InputError
            If law and columns do not fit together.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        law, names = self._law_and_names()
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, copy=True)
            keep = weights > 0  # a row without weight is as if it were not there
            X, y, weights = X[keep], y[keep], weights[keep]
        self.law_, self._names = law, names
        free = len(law.parameters_in(names)) - len(self.fixed or {})
        if 1 < len(y) < free and self.law is None:
            self._interpolate(X, y, weights)
            return self
        if len(y) < free:
            raise InputError(
                f"n_samples={len(y)}: the {free} parameters of {law} need at least as many rows"
            )
        recipe = self.protocol is not None
        plain = self.law is None
        self.fit_: Fit | None = fit(
            law,
            {**self._table(X, names), TARGET: y},
            TARGET,
            residual=self.residual or (None if recipe else "linear" if plain else "log"),  # type: ignore[arg-type]
            loss=self.loss or (None if recipe or not plain else "squared"),
            fixed=self.fixed,
            tied=self.tied,
            bounds=self.bounds,
            weights=weights,
            starts=self.starts,
            protocol=self.protocol,
            threads=self.threads,
            rng=_seed(self.random_state),
        )
        self.params_ = dict(self.fit_.params)
        starts = self.fit_.starts
        self.n_iter_ = max(1, round(self.fit_.evaluations / max(1, starts.n - starts.repeated)))
        return self

    def _interpolate(self, X: Floats, y: Floats, weights: Floats | None) -> None:
        """Take the smallest coefficients of the linear law that pass through all rows."""
        root = np.ones(len(y)) if weights is None else np.sqrt(weights)
        columns = np.column_stack([np.ones(len(y)), X]) * root[:, None]
        coefficients = np.linalg.lstsq(columns, y * root, rcond=None)[0]
        names = [p.name for p in self.law_.parameters_in(self._names)]
        self.fit_, self.n_iter_ = None, 1
        self.params_ = dict(zip(names, coefficients.tolist(), strict=True))

    def predict(self, X: Any) -> Floats:
        """Return what the law predicts, shape (n,)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self.law_.predict(self.params_, self._table(X, self._names))

    def __getstate__(self) -> Any:
        """Leave the compiled problem out of pickles; the fit is then as one read from a file."""
        state = dict(super().__getstate__())
        if state.get("fit_") is not None:
            state["fit_"] = Fit.from_dict(state["fit_"].to_dict())
        return state

    def _table(self, X: Floats, names: tuple[str, ...]) -> dict[str, Floats]:
        return {name: X[:, k] for k, name in enumerate(names)}

    def _law_and_names(self) -> tuple[Law, tuple[str, ...]]:
        """Return the law and what the columns of X are called in it."""
        count = self.n_features_in_
        generic = tuple(f"x{k}" for k in range(count))
        if self.law is None:
            names = generic if self.variables is None else self._given(count)
            terms = [f"b{k}*{name}" for k, name in enumerate(names)]
            return Law(" + ".join(["c", *terms]), ["c"], names), names
        law = as_law(self.law)
        if self.variables is not None:
            names = self._given(count)
        elif hasattr(self, "feature_names_in_"):
            names = tuple(map(str, self.feature_names_in_))
        else:
            own = law.variables
            names = own if len(own) == count and law.declared_variables is not None else generic
            if names is generic and not set(generic) & set(law._names) and len(own) == count:
                names = own
        missing = [v for v in law.variables_in(names) if v not in names]
        if missing or not law.variables_in(names):
            raise InputError(
                f"the law {law} does not find its variables among the columns "
                f"{', '.join(names)}; name the columns of X with variables=[...]"
            )
        return law, names

    def _given(self, count: int) -> tuple[str, ...]:
        names = tuple(map(str, self.variables))
        if len(names) != count:
            raise InputError(f"variables names {len(names)} columns; X has {count} features")
        return names


def _seed(random_state: Any) -> int:
    if random_state is None:
        return 0
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    return int(random_state)
