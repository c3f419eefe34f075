"""The scikit-learn estimator: its conventions, its columns, and its use by scikit-learn's tools."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import lawfit as lf

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

RNG = np.random.default_rng(2)
N = 10 ** RNG.uniform(7, 10, 60)
D = N * RNG.uniform(5, 50, 60)
TRUTH = {"E": 1.7, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.37}
LOSS = 1.7 + 400 / N**0.34 + 2000 / D**0.37
X = np.column_stack([N, D])
LAW = "E + A/N**alpha + B/D**beta"


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([lf.ScalingLawRegressor()])
def test_conventions(estimator: Any, check: Any) -> None:
    check(estimator)


def test_more_columns_than_rows_are_interpolated() -> None:
    x = RNG.normal(size=(5, 9))
    model = lf.ScalingLawRegressor().fit(x, x[:, 0])
    np.testing.assert_allclose(model.predict(x), x[:, 0], atol=1e-12)
    assert model.fit_ is None


@pytest.mark.parametrize("law", ["chinchilla", LAW, lf.Law(LAW)])
def test_columns_of_an_array_are_the_laws_variables(law: Any) -> None:
    model = lf.ScalingLawRegressor(law).fit(X, LOSS)
    assert model.params_ == pytest.approx(TRUTH, rel=1e-5)
    np.testing.assert_allclose(model.predict(X), LOSS, rtol=1e-8)
    assert model.score(X, LOSS) == pytest.approx(1.0)


def test_columns_can_be_named() -> None:
    swapped = lf.ScalingLawRegressor(LAW, variables=["D", "N"]).fit(X[:, ::-1], LOSS)
    assert swapped.params_ == pytest.approx(TRUTH, rel=1e-5)
    generic = lf.ScalingLawRegressor("E + A/x0**alpha + B/x1**beta").fit(X, LOSS)
    assert generic.params_ == pytest.approx(TRUTH, rel=1e-5)


def test_columns_of_a_frame_are_found_by_name() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"D": D, "extra": 0 * D, "N": N})
    model = lf.ScalingLawRegressor(LAW).fit(frame, LOSS)
    assert model.params_ == pytest.approx(TRUTH, rel=1e-5)
    np.testing.assert_allclose(model.predict(frame), LOSS, rtol=1e-8)


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="variables"):
        lf.ScalingLawRegressor(LAW, variables=["N"]).fit(X, LOSS)
    with pytest.raises(ValueError, match="does not find its variables"):
        lf.ScalingLawRegressor("E + A/tokens**alpha").fit(X, LOSS)
    with pytest.raises(ValueError, match="n_samples=3"):
        lf.ScalingLawRegressor(LAW).fit(X[:3], LOSS[:3])


def test_the_fit_is_the_same_as_lawfits() -> None:
    noisy = LOSS * np.exp(0.01 * RNG.normal(size=60))
    weights = RNG.uniform(0.5, 2, 60)
    model = lf.ScalingLawRegressor(LAW, fixed={"E": 1.7}, loss="huber:0.01")
    model.fit(X, noisy, sample_weight=weights)
    same = lf.fit(
        LAW, {"N": N, "D": D, "loss": noisy}, fixed={"E": 1.7}, loss=lf.Huber(0.01), weights=weights
    )
    assert model.params_ == pytest.approx(same.params, rel=1e-9)


def test_tools_of_scikit_learn() -> None:
    noisy = LOSS * np.exp(0.003 * RNG.normal(size=60))
    predicted = cross_val_predict(lf.ScalingLawRegressor(LAW, starts=20), X, noisy, cv=4)
    assert np.sqrt(np.mean(np.log(predicted / noisy) ** 2)) < 0.01
    search = GridSearchCV(lf.ScalingLawRegressor(starts=20), {"law": ["E + A/N**alpha", LAW]}, cv=3)
    search.set_params(estimator__variables=["N", "D"]).fit(X, noisy)
    assert search.best_params_["law"] == LAW
    billions = make_pipeline(
        FunctionTransformer(lambda x: x * 1e9), lf.ScalingLawRegressor(LAW, starts=20)
    )
    billions.fit(X / 1e9, noisy)
    assert billions.score(X / 1e9, noisy) > 0.99


def test_clones_are_equal() -> None:
    model = lf.ScalingLawRegressor(LAW, bounds={"alpha": (0, 1)}, random_state=4)
    assert clone(model).get_params() == model.get_params()


def test_without_scikit_learn_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None; import lawfit\n"
        "try: lawfit.ScalingLawRegressor\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'lawfit[sklearn]'" in done.stdout
