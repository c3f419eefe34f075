"""Laws of limited data: repeated tokens, filtered pools, pruned sets."""

from __future__ import annotations

import math

from ..errors import InputError
from ..law import Law, Parameter, Published, Source, Variable

_MUENNIGHOFF = "Scaling Data-Constrained Language Models"
_BASE = [
    Parameter("E", "log", start=(0.3, 3.0), description="irreducible loss, nats per token"),
    Parameter("A", "log", start=(1.0, 7.2e10), description="scale of the parameter term"),
    Parameter("alpha", "log", start=(0.1, 1.5), description="exponent of effective parameters"),
    Parameter("B", "log", start=(1.0, 7.2e10), description="scale of the data term"),
    Parameter("beta", "log", start=(0.1, 1.5), description="exponent of effective tokens"),
]
_STARS = [
    Parameter(
        "R_N_star", "log", start=(0.5, 20.0), description="excess parameters: e-folding, multiples"
    ),
    Parameter("R_D_star", "log", start=(0.5, 20.0), description="repetitions: e-folding, epochs"),
]
_RUNS = [
    Variable("N", "parameters", "model parameters", span=(7e6, 8.7e9)),
    Variable("D", "tokens", "tokens trained on, repeated ones counted again", span=(1e8, 1.8e11)),
    Variable("U", "tokens", "unique tokens there are", levels=(1e8, 4e8, 1.5e9, 1.2e10, 1.8e11)),
]
_BASE_VALUES = {
    "E": math.exp(0.6254804),
    "A": math.exp(6.255414),
    "alpha": 0.3526596,
    "B": math.exp(7.3049974),
    "beta": 0.3526596,
}
_C4 = "N and D as plain counts, loss on C4 in nats per token"
_BASE_PROTOCOL = (
    "The base on 54 single-epoch runs of C4: alpha = beta, Huber(1e-3) on log loss, 4,500 starts. "
)

# Parameters that U unique tokens justify: the N for which D = U is compute-optimal under the base.
_G = "(alpha * A / (beta * B))**(1 / (alpha + beta))"
_U_D = "min(D, U)"
_U_N = f"min(N, {_G} * ({_G} * {_U_D})**(beta / alpha))"
# What stands beyond them, in multiples: D / U_D - 1, written so that it is seen to be 0 or more.
_EXTRA_D = "max(D / U - 1, 0)"
_EXTRA_N = f"max(N / ({_G} * ({_G} * {_U_D})**(beta / alpha)) - 1, 0)"
_D_EFFECTIVE = f"({_U_D} * (1 + R_D_star * (1 - exp(-{_EXTRA_D} / R_D_star))))"
_N_EFFECTIVE = f"({_U_N} * (1 + R_N_star * (1 - exp(-{_EXTRA_N} / R_N_star))))"

DATA_CONSTRAINED = Law(
    f"E + A / {_N_EFFECTIVE}**alpha + B / {_D_EFFECTIVE}**beta",
    [*_BASE, *_STARS],
    _RUNS,
    name="data-constrained",
    source=Source(_MUENNIGHOFF, "2305.16264", "eq. 5, 6, 16 and 17", 2023),
    published=[
        Published(
            "muennighoff2023",
            {**_BASE_VALUES, "R_N_star": 5.309743, "R_D_star": 15.387756},
            "appendix A (R_N*, R_D*) and appendix B (the base)",
            _C4,
            "the paper rounds to 1.87 + 521 / N'**0.353 + 1488 / D'**0.353 with U_N = 0.051 U_D. "
            "R_N*, R_D* are a local optimum of the stated objective; (1.71, 95.4) is a little "
            "lower",
        )
    ],
    protocol=_BASE_PROTOCOL
    + "Then R_N*, R_D* on 182 runs with the base held, starts 0, 4, ..., 20 in each; runs that "
    "more epochs or parameters made worse left out.",
    notes="Repeated tokens lose value, and so do parameters beyond those that the unique tokens "
    "justify (N_opt of the base for D = min(D, U)). Fit in two stages, or tie alpha and "
    "beta: the base sits inside a min and is identified by single-epoch runs only.",
)

REPEATED_TOKENS = Law(
    f"E + A / N**alpha + B / {_D_EFFECTIVE}**beta",
    [*_BASE, _STARS[1]],
    _RUNS,
    name="repeated-tokens",
    source=Source(_MUENNIGHOFF, "2305.16264", "eq. 5 with parameters as they are", 2023),
    published=[
        Published(
            "muennighoff2023",
            {**_BASE_VALUES, "R_D_star": 15.387756},
            "appendix A (R_D*) and appendix B (the base)",
            _C4,
            "R_D* was fitted together with R_N*, which this form leaves out",
        )
    ],
    protocol=_BASE_PROTOCOL + "R_D* as in data-constrained.",
    notes="The half of data-constrained that most people use: repetition discounts tokens, "
    "parameters count in full.",
)

EXPONENT_DECAY = Law(
    f"E + A / N**(alpha * max(0, 1 - (N / {_U_N} - 1) / R_N_star))"
    f" + B / D**(beta * max(0, 1 - (D / {_U_D} - 1) / R_D_star))",
    [
        *_BASE,
        Parameter("R_N_star", "log", start=(100.0, 1e5), description="excess at which alpha is 0"),
        Parameter("R_D_star", "log", start=(100.0, 1e5), description="epochs at which beta is 0"),
    ],
    _RUNS,
    name="data-constrained-exponents",
    source=Source(_MUENNIGHOFF, "2305.16264", "appendix F, eq. 22", 2023),
    published=[
        Published(
            "muennighoff2023",
            {**_BASE_VALUES, "R_N_star": 2040.8163, "R_D_star": 26530.611},
            "appendix F",
            _C4,
        )
    ],
    protocol="As data-constrained, on 296 runs with those that repetition made worse; starts 0, "
    "2000, ..., 100000.",
    notes="A rival form that lets more epochs or parameters do harm: the exponents decay instead "
    "of the amounts. Its authors prefer the other. Single runs far beyond U_N set R_N*; "
    "R_D* is weakly identified.",
)

_FILTERING = Source(
    "Scaling Laws for Data Filtering -- Data Curation cannot be Compute Agnostic",
    "2404.07177",
    "eq. 2 and 3",
    2024,
)
_POOL = [
    Variable("n", "samples", "samples seen, repeated ones counted again", span=(3.2e7, 6.4e8)),
    Variable("pool", "samples", "samples in the pool", levels=(1.28e7, 3.2e7, 6.4e7, 1.28e8)),
]


def data_filtering(epochs: int = 10, *, released: bool = False) -> Law:
    """Return the law of a pool of data that loses its utility as it is repeated.

    The product over epochs has as many factors as the most repeated run needs.

    Parameters
    ----------
    epochs : int
        Most epochs in the runs, n / pool rounded up.
    released : bool
        The form of the authors' released code, whose product multiplies the floor d too and whose
        scale a stands inside the power.

    Raises
    ------
    InputError
        If the number of epochs is below 1.
    """
    if epochs < 1:
        raise InputError(f"runs cannot have {epochs} epochs at most; give 1 or more")
    passes = "max(n / pool, 1)"
    growth = (
        f" * prod((max(min({passes}, k), k - 1) / (k - 1))**(b * 0.5**((k - 1) / tau)) "
        f"for k in range(2, {epochs + 1}))"
    )
    first = "min(n, pool)"
    formula = f"(d + (a * {first} / 1e5)**b){growth}" if released else f"a * {first}**b{growth} + d"
    pools = (
        ("top 10 %", 6.7272727272727275, -0.16),
        ("10 to 20 %", 8.545454545454547, -0.125),
        ("20 to 30 %", 5.2727272727272725, -0.1),
        ("30 to 40 %", 2.2727272727272725, -0.085),
    )
    return Law(
        formula,
        [
            Parameter("a", "log", start=(1e-3, 10.0), description="scale"),
            Parameter("b", start=(-0.5, -0.01), description="utility of fresh samples: exponent"),
            Parameter("tau", "log", start=(0.5, 30.0), description="half-life of b, epochs"),
            Parameter("d", "log", start=(0.01, 1.0), description="floor of the error"),
        ],
        _POOL,
        name="data-filtering"
        + ("-released" if released else "")
        + (f"-{epochs}" if epochs != 10 else ""),
        target="error",
        source=_FILTERING,
        published=[
            Published(
                f"goyal2024-tmars-{label.removesuffix(' %').replace(' ', '-')}",
                {"a": 0.025, "b": b, "tau": tau, "d": 0.1},
                "results/parameter_values.jsonl of the authors' repository, utility form",
                f"T-MARS score, {label} of the pool; ImageNet zero-shot error",
            )
            for label, tau, b in pools
        ]
        if released
        else [],
        example=None if released else {"a": 2.0, "b": -0.06, "tau": 4.0, "d": 0.1},
        protocol="Dense grid search over a, b, tau and d, squared error.",
        notes="y_k = a n_1**b_1 prod_j (n_j / n_(j-1))**b_j + d with b_j = b 2**(-(j - 1) / tau): "
        "the exponent decays, where data-constrained decays the amount. A mix of P pools has "
        "half-life P tau in each and the mean of their exponents. "
        + (
            "The released code multiplies the product onto d too, which the paper's eq. 3 does not."
            if released
            else "Coefficients of the example are ours: see data-filtering-released for the "
            "authors'. a, b and d trade off over the decade of samples in the paper: d runs "
            "to 0 in simulated fits."
        ),
        verified=True,
    )


DATA_FILTERING = data_filtering()
DATA_FILTERING_RELEASED = data_filtering(released=True)

PRUNED_DATA = Law(
    "E + A * exp(-P / P_0)",
    [
        Parameter("E", "log", start=(1e-4, 0.5), description="error that is left"),
        Parameter("A", "log", start=(1e-2, 10.0), description="scale of the error"),
        Parameter("P_0", "log", start=(1e2, 1e7), description="samples for a factor of e"),
    ],
    [Variable("P", "samples", "samples kept, the hard ones, at the best share", span=(1e3, 5e4))],
    name="pruned-data-exponential",
    target="error",
    source=Source(
        "Beyond neural scaling laws: beating power law scaling via data pruning",
        "2206.14486",
        "section 2: the frontier over kept shares of a perceptron",
        2022,
    ),
    example={"E": 0.02, "A": 0.5, "P_0": 1.2e4},
    protocol="Theory by saddle points, no fit; compare with power-law on the same points.",
    notes="Kept at random, the error is a power law in P; kept by an ideal measure, the lower "
    "envelope over shares approaches an exponential. The paper has no closed form for "
    "finite P: this is its limiting shape with a floor. Coefficients are ours.",
    verified=False,
)

LAWS: tuple[Law, ...] = (
    DATA_CONSTRAINED,
    REPEATED_TOKENS,
    EXPONENT_DECAY,
    DATA_FILTERING,
    DATA_FILTERING_RELEASED,
    PRUNED_DATA,
)
