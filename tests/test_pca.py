"""Principal components with and without missing cells, and laws over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit.reduction import principal_components

NAMES = [f"bench{k}" for k in range(7)]
MODELS = 40


def scores(seed: int = 0, noise: float = 0.0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return benchmarks that two capabilities explain, and the matrix of them."""
    rng = np.random.default_rng(seed)
    ability = rng.normal(size=(MODELS, 2)) * [0.2, 0.05]
    weights = rng.uniform(0.2, 1.0, (2, 7)) * [[1.0], [0.5]]
    weights[1, ::2] *= -1
    table = 0.5 + ability @ weights + noise * rng.normal(size=(MODELS, 7))
    return dict(zip(NAMES, table.T, strict=True)), table


def with_holes(table: np.ndarray, share: float, seed: int = 1) -> dict[str, np.ndarray]:
    holes = np.random.default_rng(seed).random(table.shape) < share
    return dict(zip(NAMES, np.where(holes, np.nan, table).T, strict=True))


@pytest.mark.parametrize("standardise", [False, True])
def test_full_table_is_the_singular_value_decomposition(standardise: bool) -> None:
    columns, table = scores(noise=0.02)
    found = principal_components(columns, NAMES, 3, standardise=standardise)
    x = table - table.mean(axis=0)
    if standardise:
        x /= table.std(axis=0, ddof=1)
    u, s, v = np.linalg.svd(x, full_matrices=False)
    np.testing.assert_allclose(found.explained, s[:3] ** 2 / np.sum(s**2), rtol=1e-12)
    for k in range(3):
        sign = np.sign(v[k][np.argmax(np.abs(v[k]))])
        np.testing.assert_allclose(found.loadings[k], sign * v[k], atol=1e-12)
        np.testing.assert_allclose(found.points[f"S_{k + 1}"], sign * u[:, k] * s[k], atol=1e-12)
        assert found.loadings[k][np.argmax(np.abs(found.loadings[k]))] > 0
    np.testing.assert_array_equal(found.filled, table)
    np.testing.assert_allclose(found.mean, table.mean(axis=0), rtol=1e-14)


def test_missing_cells_of_an_exact_table_are_found() -> None:
    columns, table = scores()
    found = principal_components(with_holes(table, 0.25), NAMES, 2)
    np.testing.assert_allclose(found.filled, table, atol=1e-6)
    whole = principal_components(columns, NAMES, 2)
    np.testing.assert_allclose(found.loadings, whole.loadings, atol=1e-5)
    assert found.explained.sum() == pytest.approx(1.0, abs=1e-9)


def test_noisy_cells_are_filled_about_as_well_as_they_can_be() -> None:
    noise = 0.03
    _, table = scores(noise=noise)
    truth = scores()[1]
    columns = with_holes(table, 0.2)
    known = np.isfinite(np.column_stack(list(columns.values())))
    found = principal_components(columns, NAMES, 2)
    np.testing.assert_array_equal(found.filled[known], table[known])
    error = np.sqrt(np.mean((found.filled - truth)[~known] ** 2))
    means = np.nanmean(np.column_stack(list(columns.values())), axis=0)
    by_mean = np.sqrt(np.mean((np.broadcast_to(means, truth.shape) - truth)[~known] ** 2))
    assert error < 1.2 * noise < 0.5 * by_mean
    np.testing.assert_allclose(found.loadings @ found.loadings.T, np.eye(2), atol=1e-12)
    again = found.transform(columns)
    assert np.corrcoef(again["S_1"], found.points["S_1"])[0, 1] > 0.99
    complete = known.all(axis=1)
    np.testing.assert_allclose(again["S_2"][complete], found.points["S_2"][complete], atol=1e-12)


@pytest.mark.parametrize("models", [5, MODELS])
def test_filled_cells_are_a_fixed_point(models: int) -> None:
    """Filled cells are those of the shrunk components (Josse and Husson, 2012)."""
    table = scores(noise=0.03)[1][:models]
    columns = with_holes(table, 0.1)
    known = np.isfinite(np.column_stack(list(columns.values())))
    found = principal_components(columns, NAMES, 2, standardise=False)
    middle = found.filled.mean(axis=0)
    u, s, v = np.linalg.svd(found.filled - middle, full_matrices=False)
    noise = np.sum(s[2:] ** 2) / ((models - 3) * 5)
    kept = np.maximum(0.0, s[:2] - noise * max(models - 1, 7) / s[:2])
    guess = middle + (u[:, :2] * kept) @ v[:2]
    assert not known.all()
    np.testing.assert_allclose(found.filled[~known], guess[~known], atol=1e-5)


def test_a_law_over_components() -> None:
    _, table = scores(noise=0.005)
    columns: dict[str, Any] = with_holes(table, 0.15)
    columns["error"] = 0.95 / (1 + np.exp(2 * (table[:, 0] - 0.5)))
    columns["model"] = [f"m{i}" for i in range(MODELS)]
    found = principal_components(columns, NAMES, 3)
    assert list(found.points)[-3:] == ["S_1", "S_2", "S_3"]
    fit = lf.fit("observational-metric", found.points, residual="linear", starts=20)
    assert fit.success
    error = fit.predict(found.points) - columns["error"]
    assert np.sqrt(np.mean(error**2)) < 0.1 * np.std(columns["error"])
    new = {n: [0.6] for n in NAMES[:4]} | {n: [np.nan] for n in NAMES[4:]}
    assert 0.3 < fit.predict(found.transform(new))[0] < 0.6


@pytest.mark.parametrize(
    ("change", "options", "part"),
    [
        ({}, {"names": NAMES[:3], "components": 3}, "3 components need more than 3 different"),
        ({}, {"names": [*NAMES, "other"]}, "other"),
        ({}, {"components": 0}, "components = 0"),
        ({"bench2": [0.5] * MODELS}, {}, '"bench2" has no two different known cells'),
        ({"bench2": [np.inf] + [0.5] * (MODELS - 1)}, {}, 'column "bench2", row 1: is infinite'),
    ],
)
def test_errors(change: dict[str, Any], options: dict[str, Any], part: str) -> None:
    columns, _ = scores()
    with pytest.raises(lf.InputError, match=part):
        principal_components({**columns, **change}, **{"names": NAMES, **options})


def test_rows_with_few_known_cells() -> None:
    columns, table = scores()
    columns = {n: c.copy() for n, c in columns.items()}
    for n in NAMES[1:]:
        columns[n][4] = np.nan
    with pytest.raises(lf.InputError, match="row 5 has 1 known cells; 2 components need 2"):
        principal_components(columns, NAMES, 2)
    found = principal_components(columns, NAMES, 2, missing="omit")
    assert found.points.n == MODELS - 1
    assert [str(d) for d in found.dropped] == ["row 5: fewer than 2 of the columns are known"]
    np.testing.assert_allclose(found.filled, np.delete(table, 4, axis=0), atol=1e-9)
