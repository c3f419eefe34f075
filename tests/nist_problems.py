"""The 27 nonlinear problems of NIST's Statistical Reference Datasets, read from their files.

Source: NIST/ITL StRD, nonlinear least squares regression (https://www.itl.nist.gov/div898/strd/nls).
Formulas are written here; starts, certified values and data come from the files.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

GAUSS = "b1*exp(-b2*x) + b3*exp(-(x - b4)**2/b5**2) + b6*exp(-(x - b7)**2/b8**2)"
LANCZOS = "b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)"
CHWIRUT = "exp(-b1*x)/(b2 + b3*x)"
SATURATING = "b1*(1 - exp(-b2*x))"
CUBIC_RATIO = "(b1 + b2*x + b3*x**2 + b4*x**3)/(1 + b5*x + b6*x**2 + b7*x**3)"
TWO_PI = f"{2 * math.pi!r}*x"

FORMULAS = {
    "Bennett5": "b1*(b2 + x)**(-1/b3)",
    "BoxBOD": SATURATING,
    "Chwirut1": CHWIRUT,
    "Chwirut2": CHWIRUT,
    "DanWood": "b1*x**b2",
    "ENSO": f"b1 + b2*cos({TWO_PI}/12) + b3*sin({TWO_PI}/12)"
    f" + b5*cos({TWO_PI}/b4) + b6*sin({TWO_PI}/b4)"
    f" + b8*cos({TWO_PI}/b7) + b9*sin({TWO_PI}/b7)",
    "Eckerle4": "b1/b2*exp(-0.5*((x - b3)/b2)**2)",
    "Gauss1": GAUSS,
    "Gauss2": GAUSS,
    "Gauss3": GAUSS,
    "Hahn1": CUBIC_RATIO,
    "Kirby2": "(b1 + b2*x + b3*x**2)/(1 + b4*x + b5*x**2)",
    "Lanczos1": LANCZOS,
    "Lanczos2": LANCZOS,
    "Lanczos3": LANCZOS,
    "MGH09": "b1*(x**2 + x*b2)/(x**2 + x*b3 + b4)",
    "MGH10": "b1*exp(b2/(x + b3))",
    "MGH17": "b1 + b2*exp(-x*b4) + b3*exp(-x*b5)",
    "Misra1a": SATURATING,
    "Misra1b": "b1*(1 - (1 + b2*x/2)**-2)",
    "Misra1c": "b1*(1 - (1 + 2*b2*x)**-0.5)",
    "Misra1d": "b1*b2*x*(1 + b2*x)**-1",
    "Nelson": "b1 - b2*x1*exp(-b3*x2)",
    "Rat42": "b1/(1 + exp(b2 - b3*x))",
    "Rat43": "b1/(1 + exp(b2 - b3*x))**(1/b4)",
    "Roszman1": f"b1 - b2*x - arctan(b3/(x - b4))/{math.pi!r}",
    "Thurber": CUBIC_RATIO,
}


@dataclass(frozen=True)
class NistProblem:
    """One data set: its model, two starts, and the certified answer.

    Attributes
    ----------
    starts : ndarray of shape (2, p)
    certified : ndarray of shape (p,)
        Parameters, to 11 digits.
    rss : float
        Certified residual sum of squares.
    columns : dict of str to ndarray of shape (n,)
        The predictors, and the response as "y" (its logarithm for Nelson, as certified).
    """

    name: str
    formula: str
    starts: np.ndarray
    certified: np.ndarray
    rss: float
    columns: dict[str, np.ndarray]

    @property
    def names(self) -> list[str]:
        return [f"b{k + 1}" for k in range(len(self.certified))]

    @property
    def predictors(self) -> list[str]:
        return [name for name in self.columns if name != "y"]


@lru_cache
def read_problem(folder: Path, name: str) -> NistProblem:
    """Read one problem from the folder that holds NIST's .dat files."""
    text = (folder / f"{name}.dat").read_text()
    lines = text.splitlines()
    number = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[Ee][-+]?\d+)?"
    found = re.findall(rf"^\s*b(\d+)\s*=((?:\s+{number}){{4}})\s*$", text, re.MULTILINE)
    values = np.array([[float(v) for v in row.split()] for _, row in found])
    assert [int(k) for k, _ in found] == list(range(1, len(found) + 1)), name
    (rss,) = re.findall(rf"Residual Sum of Squares:\s+({number})", text)
    (count,) = re.findall(r"Number of Observations:\s+(\d+)", text)
    header = max(i for i, line in enumerate(lines) if line.startswith("Data:"))
    names = lines[header].split()[1:]
    table = np.array([[float(v) for v in line.split()] for line in lines[header + 1 :] if line])
    assert table.shape == (int(count), len(names)), name
    columns = dict(zip(names, table.T, strict=True))
    if name == "Nelson":
        columns["y"] = np.log(columns["y"])
    return NistProblem(name, FORMULAS[name], values[:, :2].T, values[:, 2], float(rss), columns)


# Parameters of which two terms of the same form may change places.
EXCHANGEABLE = {"MGH17": [0, 2, 1, 4, 3]}


def parameter_digits(got: np.ndarray, problem: NistProblem) -> float:
    """Return the digits of the worst parameter, whichever way exchangeable terms are named."""
    orders = [list(range(len(got))), EXCHANGEABLE.get(problem.name, list(range(len(got))))]
    return max(digits(got[order], problem.certified) for order in orders)


def digits(got: np.ndarray | float, certified: np.ndarray | float) -> float:
    """Return the log relative error, -log10 |got - certified| / |certified|, of the worst."""
    error = np.max(np.abs(np.asarray(got) - certified) / np.abs(certified))
    return 11.0 if error < 1e-11 else float(-np.log10(error)) if np.isfinite(error) else -np.inf
