"""Laws with breaks: smoothly broken power laws and the piecewise power law of learning curves."""

from __future__ import annotations

from ..errors import InputError
from ..law import Law, Parameter, Published, Source, Variable

__all__ = ["LAWS", "bnsl"]

# The constants of the authors' script that draws figure 1, three breaks.
_FIGURE = {
    "a": 1e-3, "b": 4.66e3, "c0": 0.05,
    "c1": 0.49, "d1": 3e6, "f1": 1.1,
    "c2": -0.811, "d2": 1e14, "f2": 1.425,
    "c3": 2.1, "d3": 2e20, "f3": 0.05,
}  # fmt: skip
_SPANS = {1: (1e3, 1e9), 2: (1e2, 1e11), 3: (1e-1, 1e26)}


def bnsl(breaks: int = 1) -> Law:
    """Return a smoothly broken power law.

    Parameters
    ----------
    breaks : int
        Number of breaks; 0 is a power law with a limit.

    Raises
    ------
    InputError
        If the number is below 0.
    """
    if breaks < 0:
        raise InputError(f"a law cannot have {breaks} breaks; give 0 or more")
    low, high = _SPANS.get(breaks, _SPANS[3])
    parameters = [
        Parameter("a", "log", start=(1e-4, 1.0), description="limit of the metric"),
        Parameter("b", "log", start=(0.1, 1e4), description="scale at x = 1"),
        Parameter("c0", start=(-0.2, 0.5), description="exponent before the first break"),
    ]
    example = {"a": 0.2, "b": 8.0, "c0": 0.1}
    factors = ""
    for i in range(1, breaks + 1):
        factors += f" * (1 + (x / d{i})**(1 / f{i}))**(-c{i} * f{i})"
        ends = (low * (high / low) ** ((i - 1) / breaks), low * (high / low) ** (i / breaks))
        middle = float(f"{ends[0] ** 0.5 * ends[1] ** 0.5:.1e}")
        example |= {f"c{i}": 0.5 if i % 2 else -0.4, f"d{i}": middle, f"f{i}": 0.4}
        parameters += [
            Parameter(f"c{i}", start=(-1.0, 1.5), description=f"change of exponent at break {i}"),
            Parameter(f"d{i}", "log", start=ends, description=f"x of break {i}"),
            Parameter(
                f"f{i}", "log", bounds=(1e-3, 20.0), start=(0.1, 1.5),
                description=f"width of break {i} in log x; small is sharp",
            ),
        ]  # fmt: skip
    return Law(
        f"a + b * x**-c0{factors}",
        parameters,
        [Variable("x", "", "parameters, samples, compute, steps", span=(low, high))],
        name=f"bnsl-{breaks}",
        target="loss",
        source=Source("Broken Neural Scaling Laws", "2210.14891", "eq. 1", 2022),
        published=[
            Published(
                "caballero2022-figure1",
                _FIGURE,
                "the authors' script for figure 1",
                "drawn to show the form; not a fit to runs",
            )
        ]
        if breaks == 3
        else (),
        example=None if breaks == 3 else example,
        protocol="Squared error of log(y + 1): a grid of 163,840 points for one break, then "
        "Levenberg-Marquardt from the best.",
        notes="Exponent after break i is c0 + ... + ci. The breaks are interchangeable: order "
        "d1 < d2 < ... by bounds. A break is identified only by points on both sides, its width "
        "only by points within it; a only where the curve flattens. Any x and any metric, also "
        "non-monotone ones.",
    )


PIECEWISE = Law(
    "exp(theta_1 + theta_2 * log(n) + theta_3 * (log(n)**2 - max(0, log(n / N_s))**2))",
    [
        Parameter("theta_1", start=(-1.0, 3.0), description="log error at n = 1"),
        Parameter("theta_2", start=(-1.0, 0.2), description="slope at n = 1"),
        Parameter("theta_3", start=(-0.2, 0.1), description="curvature below the switch"),
        Parameter("N_s", "log", start=(5.0, 500.0), description="samples at the switch"),
    ],
    [Variable("n", "samples", "training samples per class", span=(1.0, 2000.0))],
    name="piecewise-power-law",
    target="error",
    source=Source(
        "A Meta-Learning Approach to Predicting Performance and Data Requirements",
        "2303.01598",
        "piecewise power law",
        2023,
    ),
    example={"theta_1": -0.1, "theta_2": -0.1, "theta_3": -0.05, "N_s": 60.0},
    protocol="Coefficients predicted by a random forest from the few-shot part of the curve.",
    notes="Log error quadratic in log n below the switch and linear above, continuous with its "
    "slope: for n > N_s the square becomes 2 log(N_s) log(n) - log(N_s)**2. The "
    "continuity of the slope could not be checked in a second source.",
    verified=False,
)

LAWS: tuple[Law, ...] = (bnsl(1), bnsl(2), bnsl(3), PIECEWISE)
