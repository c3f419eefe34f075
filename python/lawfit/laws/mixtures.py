"""Laws of what data is made of: mixtures of domains, distance to a target, synthetic data."""

from __future__ import annotations

from ..errors import InputError
from ..law import Law, Parameter, Source, Variable

_MIXING = Source(
    "Data Mixing Laws: Optimizing Data Mixtures by Predicting Language Modeling Performance",
    "2403.16952",
    "eq. 7",
    2024,
)
_MIXING_PROTOCOL = (
    "Huber (0.01 to 0.08) on the loss itself, L-BFGS; starts at random; last points held out."
)


def data_mixing(domains: int = 3) -> Law:
    """Return the mixing law of one validation domain over the shares r_1, r_2, ... of training.

    Shares that sum to 1 leave one number free: adding a constant to every t_j divides k by its
    exponential. Fix one t_j, or leave one share out of the law, to remove it.

    Parameters
    ----------
    domains : int
        Number of training domains.

    Raises
    ------
    InputError
        If the number is below 1.
    """
    if domains < 1:
        raise InputError(f"a mixture cannot have {domains} domains; give 1 or more")
    numbers = range(1, domains + 1)
    return Law(
        f"c + k * exp({' + '.join(f't_{j} * r_{j}' for j in numbers)})",
        [
            Parameter("c", "log", start=(0.3, 4.0), description="loss that no mixture removes"),
            Parameter("k", "log", start=(0.05, 10.0), description="scale"),
            *(
                Parameter(
                    f"t_{j}",
                    start=(-5.0, 1.0),
                    description=f"effect of domain {j}; below 0 if it helps",
                )
                for j in numbers
            ),
        ],
        [
            Variable(f"r_{j}", "", f"share of domain {j} in training, 0 to 1", span=(0.0, 1.0))
            for j in numbers
        ],
        name=f"data-mixing-{domains}",
        source=_MIXING,
        example={"c": 2.0, "k": 1.5, **{f"t_{j}": round(0.3 - 0.9 * j, 1) for j in numbers}},
        protocol=_MIXING_PROTOCOL,
        notes="Loss on one validation domain; a whole set is the weighted sum over domains. On "
        "shares that sum to 1, k and the t_j are not identified together: fix one t_j. "
        "(Simulated runs draw shares that do not sum to 1.) The authors' fits are printed "
        "per figure; the example is ours.",
    )


MIXING = tuple(data_mixing(n) for n in (2, 3, 5))

MIXING_STEPS = Law(
    "E + (D_0 / D)**alpha",
    [
        Parameter("E", "log", start=(0.5, 4.0), description="loss of endless training"),
        Parameter("D_0", "log", start=(1e5, 1e11), description="tokens"),
        Parameter("alpha", start=(0.1, 0.9), description="exponent, shared by all curves"),
    ],
    [Variable("D", "tokens", "tokens seen: steps times batch", span=(1e10, 1e11))],
    name="data-mixing-steps",
    source=Source(
        _MIXING.title, _MIXING.arxiv, "the nested step law, as in the authors' repository", 2024
    ),
    example={"E": 2.2, "D_0": 1e9, "alpha": 0.6},
    protocol="Huber(0.02) on the loss, L-BFGS from 5,500 starts: log D_0 in 15 to 23, alpha in "
    "0.65 to 0.9; alpha shared by all mixtures and domains, last 3 points held out.",
    notes="Carries a curve to the target length before the mixing law is fitted. "
    "data-mixing-by-curve shares alpha. The size law has the same form with N. The example is "
    "ours.",
)

MIXING_CURVES = Law(
    "E[curve] + (D_0[curve] / D)**alpha",
    [
        Parameter("E", "log", start=(0.5, 4.0), description="loss of endless training, per curve"),
        Parameter("D_0", "log", start=(1e5, 1e11), description="tokens, per curve"),
        Parameter("alpha", start=(0.1, 0.9), description="exponent, shared by all curves"),
    ],
    [
        Variable("D", "tokens", "tokens seen", span=(1e10, 1e11)),
        Variable("curve", "", "mixture and validation domain", levels=("a", "b", "c")),
    ],
    name="data-mixing-by-curve",
    source=MIXING_STEPS.source,
    example={
        "E[a]": 2.2,
        "E[b]": 1.9,
        "E[c]": 2.6,
        "D_0[a]": 1e9,
        "D_0[b]": 4e8,
        "D_0[c]": 2e9,
        "alpha": 0.6,
    },
    protocol=MIXING_STEPS.protocol,
    notes="data-mixing-steps for all curves at once: the source has hundreds of curves and one "
    "exponent. Over one decade of D a noise of 0.2 % leaves D_0 known to a fifth only. The "
    "example is ours.",
)

MIXING_DOMAINS = Law(
    "c[domain] + k[domain] * exp(t_1[domain] * r_1 + t_2[domain] * r_2)",
    [
        Parameter("c", "log", start=(0.3, 4.0), description="loss that no mixture removes"),
        Parameter("k", "log", start=(0.05, 10.0), description="scale"),
        Parameter("t_1", start=(-5.0, 1.0), description="effect of training domain 1"),
        Parameter("t_2", start=(-5.0, 1.0), description="effect of training domain 2"),
    ],
    [
        Variable("r_1", "", "share of domain 1 in training", span=(0.0, 1.0)),
        Variable("r_2", "", "share of domain 2 in training", span=(0.0, 1.0)),
        Variable("domain", "", "validation domain", levels=("code", "web")),
    ],
    name="data-mixing-by-domain",
    source=_MIXING,
    example={
        "c[code]": 0.9,
        "k[code]": 1.5,
        "t_1[code]": -2.5,
        "t_2[code]": 0.2,
        "c[web]": 2.4,
        "k[web]": 1.2,
        "t_1[web]": 0.1,
        "t_2[web]": -1.9,
    },
    protocol=_MIXING_PROTOCOL,
    notes="data-mixing-2 for several validation domains in one fit; nothing is shared. As there, "
    "k, t_1 and t_2 are not identified together on shares that sum to 1, which those of simulated "
    "runs do not. The example is ours.",
)

_TAILS = "A Tale of Tails: Model Collapse as a Change of Scaling Laws"
_TAIL_PARAMETERS = [
    Parameter("A", "log", start=(0.01, 1e3), description="scale of the data term"),
    Parameter("B", "log", start=(0.01, 1e3), description="scale of the second term"),
    Parameter(
        "beta", bounds=(1.0, 10.0), start=(1.1, 3.0), description="Zipf exponent of the true data"
    ),
]
_TAIL_T = Variable("T", "samples", "training samples", span=(1e2, 1e8))
_TAIL_T0 = Variable("T_0", "samples", "real samples that the first generator saw", span=(1e2, 1e6))
_TAIL_K = Variable("k", "", "rank past which the generator's tail is cut", span=(10.0, 1e5))
_TAIL_NOTES = (
    " The exponents are linked through beta, which is what a fit tests: c = 1 - 1 / beta. The "
    "source gives orders of growth only: A and B are ours, and the example."
)

TAIL_CUT = Law(
    "A * T**-(1 - 1 / beta) + B * k**-(beta - 1)",
    _TAIL_PARAMETERS,
    [_TAIL_T, _TAIL_K],
    name="collapse-tail-cut",
    target="error",
    source=Source(_TAILS, "2402.07043", "theorem 2.1", 2024),
    example={"A": 1.0, "B": 0.8, "beta": 1.5},
    protocol="Theory, compared with simulated and Llama 2 curves.",
    notes="Trained on synthetic data whose tail is cut at rank k: more samples stop helping. A "
    "generator that saw T_0 real samples cuts at about T_0**(1 / beta) (eq. 6)." + _TAIL_NOTES,
)

GENERATIONS = Law(
    "A * T**-(1 - 1 / beta) + B * n * T_0**-(1 - 1 / beta)",
    _TAIL_PARAMETERS,
    [_TAIL_T, Variable("n", "", "generations", levels=(0.0, 1.0, 2.0, 3.0, 5.0, 10.0)), _TAIL_T0],
    name="collapse-generations",
    target="error",
    source=Source(_TAILS, "2402.07043", "theorem on n generations", 2024),
    example={"A": 1.0, "B": 0.8, "beta": 1.5},
    protocol="Theory.",
    notes="Each generation adds the error of the data it was trained on." + _TAIL_NOTES,
    verified=False,
)

TRIPLET = Law(
    "A * T**-(1 - 1 / beta) + B * k**-(beta - 1) + C * d**-c_q",
    [
        *_TAIL_PARAMETERS,
        Parameter("C", "log", start=(0.01, 1e3), description="scale of the capacity term"),
        Parameter("c_q", start=(0.1, 3.0), description="exponent of the embedding dimension"),
    ],
    [
        _TAIL_T,
        _TAIL_K,
        Variable("d", "", "embedding dimension of the associative memory", span=(8.0, 1e3)),
    ],
    name="collapse-triplet",
    target="error",
    source=Source(_TAILS, "2402.07043", "the triplet law of associative memories", 2024),
    example={"A": 1.0, "B": 0.8, "C": 0.6, "beta": 1.5, "c_q": 1.0},
    protocol="Theory.",
    notes="Samples, the cut, and the memory's dimension. A summary confirms the "
    "three resources, not the exponents; another reading has real samples T_0 "
    "instead of d." + _TAIL_NOTES,
    verified=False,
)

REGRESSION = Law(
    "sigma2 * d / (T - d - 1) + n * sigma2_0 * d / (T_0 - d - 1)",
    [
        Parameter("sigma2", "log", start=(1e-4, 10.0), description="noise of the last labels"),
        Parameter("sigma2_0", "log", start=(1e-4, 10.0), description="noise of each generation"),
    ],
    [
        Variable("d", "", "dimension", levels=(50.0, 100.0, 200.0)),
        Variable("T", "samples", "samples of the last fit, above d + 1", span=(400.0, 1e5)),
        Variable("T_0", "samples", "samples of every earlier fit, above d + 1", span=(400.0, 1e5)),
        Variable("n", "", "generations of synthetic labels", levels=(0.0, 1.0, 2.0, 5.0, 10.0)),
    ],
    name="collapse-regression",
    target="error",
    source=Source(
        "Model Collapse Demystified: The Case of Regression",
        "2402.07712",
        "linear regression without ridge, isotropic inputs",
        2024,
    ),
    example={"sigma2": 0.25, "sigma2_0": 0.16},
    protocol="Closed form, checked numerically by the authors.",
    notes="Excess error of least squares on Gaussian inputs after n fits, each to the last one's "
    "labels: every fit adds sigma**2 d / (T - d - 1), exactly (algebra; the source writes "
    "the limit phi / (1 - phi), phi = d / T). Its crossover for power-law spectra with "
    "ridge could not be read and has no entry. Linear in both parameters.",
    verified=False,
)

_TRANSPORT = (
    "Performance Scaling via Optimal Transport: "
    "Enabling Data Selection from Partially Revealed Sources"
)

TRANSPORT = Law(
    "a_0 + a_1 * OT + a_2 * OT**2",
    [
        Parameter("a_0", start=(0.0, 1.0), description="performance at distance 0"),
        Parameter("a_1", start=(-1.0, 0.0), description="slope"),
        Parameter("a_2", start=(-0.1, 0.1), description="curvature"),
    ],
    [Variable("OT", "", "transport distance of the mixture to validation data", span=(0.1, 5.0))],
    name="transport-performance",
    target="performance",
    source=Source(_TRANSPORT, "2307.02460", "first stage", 2023),
    example={"a_0": 0.9, "a_1": -0.12, "a_2": 0.005},
    protocol="Least squares on a few mixtures at one size.",
    notes="The distance is a column of the user's. Order of the polynomial and coefficients are "
    "ours; the text could not be read.",
    verified=False,
)

PROJECTION = Law(
    "(log(N / N_0) * V_1 - log(N / N_1) * V_0) / log(N_1 / N_0)",
    [
        Parameter("V_0", start=(0.0, 1.0), description="performance at N_0 samples"),
        Parameter("V_1", start=(0.0, 1.0), description="performance at N_1 samples"),
    ],
    [
        Variable("N", "samples", "samples", span=(1e3, 1e6)),
        Variable("N_0", "samples", "smaller size measured", levels=(1e3,)),
        Variable("N_1", "samples", "larger size measured", levels=(1e4,)),
    ],
    name="transport-projection",
    target="performance",
    source=Source(_TRANSPORT, "2307.02460", "second stage", 2023),
    example={"V_0": 0.4, "V_1": 0.55},
    protocol="None: V_0 and V_1 are measured at two sizes.",
    notes="A straight line in log N through two sizes; with more sizes V_0 and V_1 are fitted. Not "
    "bounded by 1. Form as known to us, algebra checked.",
    verified=False,
)

LAWS: tuple[Law, ...] = (
    *MIXING,
    MIXING_DOMAINS,
    MIXING_STEPS,
    MIXING_CURVES,
    TAIL_CUT,
    GENERATIONS,
    TRIPLET,
    REGRESSION,
    TRANSPORT,
    PROJECTION,
)
