"""Certified digits on NIST's nonlinear problems: lawfit beside SciPy, from the same starts."""

from __future__ import annotations

import argparse
import math
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import optimize

import lawfit as lf
import machine
from problems import folder
from store import write

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from nist_problems import FORMULAS, NistProblem, digits, parameter_digits, read_problem

TIGHT = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
# problem, start -> parameters, evaluations of the model
Method = Callable[[NistProblem, np.ndarray], tuple[np.ndarray, int]]


def model(problem: NistProblem) -> Callable[..., np.ndarray]:
    """Return the formula as the function f(x, b1, b2, ...) that SciPy takes."""
    functions = {f: getattr(np, f) for f in ("exp", "cos", "sin", "arctan")}
    code = compile(problem.formula, problem.name, "eval")
    columns = {n: problem.columns[n] for n in problem.predictors}

    def f(_: object, *b: float) -> np.ndarray:
        values = dict(zip(problem.names, b, strict=True))
        return eval(code, {"__builtins__": {}}, functions | columns | values)

    return f


def lawfit_fit(problem: NistProblem, start: np.ndarray) -> tuple[np.ndarray, int]:
    law = lf.Law(
        problem.formula,
        parameters=[lf.Parameter(n, transform="identity") for n in problem.names],
        variables=problem.predictors,
    )
    given = dict(zip(problem.names, start, strict=True))
    fit = lf.fit(
        law, problem.columns, "y", residual="linear", loss=lf.Squared(), starts=given, threads=1
    )
    return np.array([fit.params[n] for n in problem.names]), fit.evaluations


def curve_fit(**options: object) -> Method:
    def run(problem: NistProblem, start: np.ndarray) -> tuple[np.ndarray, int]:
        y = problem.columns["y"]
        found = optimize.curve_fit(model(problem), y, y, start, full_output=True, **options)
        return found[0], int(found[2]["nfev"])

    return run


def least_squares(**options: object) -> Method:
    def run(problem: NistProblem, start: np.ndarray) -> tuple[np.ndarray, int]:
        f, y = model(problem), problem.columns["y"]
        found = optimize.least_squares(lambda b: f(None, *b) - y, start, **options)
        return found.x, int(found.nfev)

    return run


METHODS: dict[str, Method] = {
    "lawfit": lawfit_fit,
    "curve_fit": curve_fit(),
    "curve_fit, tight": curve_fit(maxfev=100_000, **TIGHT),
    "least_squares": least_squares(),
    "least_squares, tight": least_squares(x_scale="jac", jac="3-point", max_nfev=20_000, **TIGHT),
}


def measure(problem: NistProblem, start: int, method: Method) -> dict[str, object]:
    begun = time.process_time()
    try:
        found, evaluations = method(problem, problem.starts[start])
    except (RuntimeError, ValueError, lf.LawfitError) as error:
        return {"digits": None, "failure": str(error)}
    seconds = time.process_time() - begun
    residual = model(problem)(None, *found) - problem.columns["y"]
    return {
        "digits": round(parameter_digits(found, problem), 2),
        "digits_rss": round(digits(float(residual @ residual), problem.rss), 2),
        "evaluations": evaluations,
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default="bench/results/nist.json")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    rows = []
    print(f"{'digits of the worst parameter':32}" + "".join(f"{m:>22}" for m in METHODS))
    for name in FORMULAS:
        problem = read_problem(folder() / "nist", name)
        for start in (0, 1):
            line = f"{name} from start {start + 1}"
            for method_name, method in METHODS.items():
                outcome = measure(problem, start, method)
                rows.append({"problem": name, "start": start + 1, "method": method_name} | outcome)
                got = outcome["digits"]
                line = line.ljust(32 if method_name == "lawfit" else 0)
                line += f"{'failed' if got is None else f'{got:.1f}':>22}"
            print(line, flush=True)
    for wanted in (9, 6, 4):
        line = f"solved to {wanted} digits, of {2 * len(FORMULAS)}".ljust(32)
        for method_name in METHODS:
            reached = [r["digits"] for r in rows if r["method"] == method_name]
            line += f"{sum((d if d is not None else -math.inf) >= wanted for d in reached):>22}"
        print(line)
    write(given.out, {"machine": machine.describe(), "rows": rows})


if __name__ == "__main__":
    main()
