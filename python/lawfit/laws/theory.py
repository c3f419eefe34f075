"""Laws that a theory predicts, with the exponent to be tested against it."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

# --- four regimes ----------------------------------------------------------------------------

_REGIMES = "Explaining Neural Scaling Laws"
_FLOOR = Parameter("L_inf", "log", start=(0.01, 5.0), description="loss at infinite data or width")
_SCALE = Parameter("A", "log", start=(0.01, 1e6), description="scale of the law")

VARIANCE_DATA = Law(
    "L_inf + A / D",
    [_FLOOR, _SCALE],
    [Variable("D", "examples", "training examples, many for the model's size", span=(1e3, 1e6))],
    name="variance-limited-data",
    source=Source(_REGIMES, "2102.06701", "variance-limited scaling", 2021),
    protocol="The limit is measured and subtracted; a line in log-log, whose slope should be -1.",
    example={"L_inf": 0.5, "A": 300.0},
    notes="Exponent 1 by theory: data to infinity at a fixed model. Test it by fitting power-law, "
    "which frees the exponent, to the same runs.",
)

VARIANCE_WIDTH = Law(
    "L_inf + A / w",
    [_FLOOR, _SCALE],
    [Variable("w", "units", "width, at fixed data", span=(64, 16384))],
    name="variance-limited-width",
    source=Source(_REGIMES, "2102.06701", "variance-limited scaling", 2021),
    protocol="As variance-limited-data.",
    example={"L_inf": 0.5, "A": 20.0},
    notes="Exponent 1 in width by theory, that is 1/2 in the parameters of a fully connected net.",
)

MANIFOLD = Law(
    "A * x**(-4 / d)",
    [
        _SCALE,
        Parameter(
            "d", bounds=(0.5, 1e3), start=(2.0, 60.0), description="dimension of the data manifold"
        ),
    ],
    [Variable("x", "", "training examples, or parameters, whichever limits", span=(1e3, 1e7))],
    name="resolution-limited",
    source=Source(_REGIMES, "2102.06701", "resolution-limited scaling", 2021),
    protocol="A line in log-log per regime; d is compared with the measured dimension.",
    example={"A": 10.0, "d": 16.0},
    notes="4 / d is a lower end: it holds for smooth losses and piecewise linear interpolation; "
    "the bound for Lipschitz losses is 1 / d. Data and parameters share one exponent (duality). "
    "The factor 4 was not checked against a second text.",
    verified=False,
)

SPECTRUM = Law(
    "lambda_1 * i**-(1 + alpha_K)",
    [
        Parameter("lambda_1", "log", start=(1e-6, 1e6), description="largest eigenvalue"),
        Parameter("alpha_K", start=(0.0, 3.0), description="exponent of loss in data and width"),
    ],
    [Variable("i", "", "rank of the eigenvalue, from 1", span=(1, 1e4))],
    name="kernel-spectrum",
    target="eigenvalue",
    source=Source(_REGIMES, "2102.06701", "spectra of kernels, duality", 2021),
    protocol="A line in log-log through the middle of the spectrum.",
    example={"lambda_1": 10.0, "alpha_K": 0.5},
    notes="The exponent of the resolution-limited loss of random features is alpha_K, one less "
    "than that of the spectrum; Liu et al. (2505.10465, section 4) quote it so.",
)

# --- superposition ---------------------------------------------------------------------------

_SUPERPOSITION = "Superposition Yields Robust Neural Scaling"
_WIDTH = Variable("m", "units", "model dimension (width)", span=(512, 9216))
_WIDTH_PARAMETERS = [
    Parameter("C_m", "log", start=(10.0, 1e4), description="scale of the width term"),
    Parameter("alpha_m", start=(0.2, 2.0), description="exponent of width; 1 by theory"),
]
# Floors of the 16 pairs of model family and evaluation text, in the order of the authors' output.
_FLOORS = {
    "opt": {"wikitext": 2.2074, "c4": 2.2745, "pile": 1.7193, "bookcorpus": 2.1845},
    "qwen2.5": {"wikitext": 1.6079, "c4": 2.1009, "pile": 1.4890, "bookcorpus": 1.9348},
    "gpt2": {"wikitext": 2.3018, "c4": 2.3546, "pile": 1.9413, "bookcorpus": 2.2961},
    "pythia": {"wikitext": 2.1407, "c4": 2.2998, "pile": 1.5203, "bookcorpus": 2.2415},
}
_GROUPS = {f"{family}-{text}": f for family, d in _FLOORS.items() for text, f in d.items()}
_LIU = "output of the authors' notebook; the paper prints alpha_m = 0.91(4) (section 3, figure 6)"
_LIU_UNITS = "m model dimension, loss in nats per token"
_ADAM = (
    "Adam, 20,000 steps on the mean square of the loss, from C_m = 500, alpha_m = 1, floors 1; "
    "C_m and alpha_m shared by the 16 pairs of family and text, one floor each."
)
_WIDTH_NOTES = (
    "C_m and alpha_m trade off: the standard error of alpha_m is 0.04. Through N = m**2.52 of the "
    "Chinchilla models, alpha_m = 0.88(6) follows from an exponent 0.35 in N (source, D.7)."
)

WIDTH = Law(
    "C_m / m**alpha_m + L_rest",
    [
        *_WIDTH_PARAMETERS,
        Parameter("L_rest", "log", start=(0.5, 4.0), description="what width does not reduce"),
    ],
    [_WIDTH],
    name="superposition-width",
    source=Source(_SUPERPOSITION, "2505.10465", "eq. 6", 2025),
    protocol=_ADAM,
    published=[
        Published(
            f"liu2025-{group}",
            {"C_m": 476.0763, "alpha_m": 0.9098, "L_rest": floor},
            _LIU,
            _LIU_UNITS,
        )
        for group, floor in _GROUPS.items()
    ],
    notes="One pair of family and text. " + _WIDTH_NOTES,
)

WIDTH_GROUPS = Law(
    "C_m / m**alpha_m + L_rest[group]",
    [
        *_WIDTH_PARAMETERS,
        Parameter("L_rest", "log", start=(0.5, 4.0), description="what width does not reduce"),
    ],
    [
        _WIDTH,
        Variable("group", "", "model family and evaluation text", levels=tuple(_GROUPS)),
    ],
    name="superposition-by-group",
    source=Source(_SUPERPOSITION, "2505.10465", "eq. 6, figure 6b", 2025),
    protocol=_ADAM,
    published=[
        Published(
            "liu2025",
            {
                "C_m": 476.0763,
                "alpha_m": 0.9098,
                **{f"L_rest[{group}]": floor for group, floor in _GROUPS.items()},
            },
            _LIU,
            _LIU_UNITS,
        )
    ],
    notes=_WIDTH_NOTES,
)

WEAK = Law(
    "A * m**-(alpha - 1)",
    [
        _SCALE,
        Parameter(
            "alpha", bounds=(1.0, 10.0), start=(1.1, 3.0), description="exponent of frequencies"
        ),
    ],
    [Variable("m", "units", "hidden dimension of the toy model", span=(10, 1024))],
    name="superposition-weak",
    source=Source(_SUPERPOSITION, "2505.10465", "result 1 (section 3), appendix D.1", 2025),
    protocol="A line in log-log through the last points.",
    example={"A": 1.5, "alpha": 1.5},
    notes="Without superposition only the m most frequent features are kept; with frequencies "
    "proportional to rank**-alpha the loss is their tail. No law follows from other frequencies.",
)

# --- uncertainty, dimension, coverage --------------------------------------------------------

UNCERTAINTY = Law(
    "A * x**gamma",
    [_SCALE, Parameter("gamma", start=(-1.5, 0.0), description="exponent, below 0")],
    [Variable("x", "", "training examples, parameters or compute", span=(1e2, 1e6))],
    name="predictive-uncertainty",
    target="uncertainty",
    source=Source(
        "Scaling Laws for Uncertainty in Deep Learning",
        "2506.09648",
        "f(x) proportional to x**gamma",
        2025,
    ),
    protocol="A line in log-log per architecture, data set and method of estimating uncertainty.",
    example={"A": 2.0, "gamma": -0.4},
    notes="x is data, parameters or compute; the target total, aleatoric or epistemic uncertainty, "
    "one exponent each. Epistemic uncertainty of an identifiable model falls as 1 / x (abstract): "
    "test gamma against -1. A third party quotes -0.36 to -0.44 for dropout; no coefficients "
    "were found in full.",
)

DIMENSION = Law(
    "K * K_F * N**(-c / d_data)",
    [
        Parameter("K", "log", start=(1e-4, 1e4), description="scale, one per domain"),
        Parameter("c", start=(0.2, 4.0), description="1 in the source's bound"),
    ],
    [
        Variable("N", "images", "training images", span=(500, 1750)),
        Variable("d_data", "", "intrinsic dimension of the data, measured", span=(10, 50)),
        Variable("K_F", "", "label sharpness, measured", span=(1e-4, 1e-2)),
    ],
    name="intrinsic-dimension",
    source=Source(
        "The Effect of Intrinsic Dataset Properties on Generalization: Unraveling Learning "
        "Differences Between Natural and Medical Images",
        "2401.08865",
        "generalization scaling law with intrinsic dimension",
        2024,
    ),
    protocol="Dimension and sharpness are estimated from the data; log loss against dimension per "
    "domain.",
    example={"K": 300.0, "c": 1.0},
    notes="The exponent is a covariate: each data set brings its own d_data. The source bounds the "
    "loss by K_L max(K_f, K_F) N**(-1 / d); c is ours, to test the 1. Ranges and coefficients of "
    "the example are ours; the form was not checked against a second text. The source has the "
    "same law with the dimension of the learned representation.",
    verified=False,
)

COVERAGE = Law(
    "a * n**c",
    [
        Parameter("a", "log", start=(1e-3, 1e3), description="scale, examples"),
        Parameter("c", start=(1.0, 4.0), description="exponent; at least 2 by theory"),
    ],
    [Variable("n", "tokens", "size of the set of tokens that the task draws from", span=(20, 500))],
    name="compositional-examples",
    target="examples",
    source=Source(
        "The Coverage Principle: A Framework for Understanding Compositional Generalization",
        "2505.20278",
        "power law of required examples (abstract)",
        2025,
    ),
    protocol="Smallest training set that reaches a fixed accuracy, per token-set size; a line in "
    "log-log.",
    example={"a": 2.0, "c": 2.2},
    notes="The abstract says at least quadratic, independent of parameters over a factor of 20; a "
    "later version of the paper (another title) proves a tight exponent for two hops. The smallest "
    "set is known to an interval only. Coefficients of the example are ours.",
)

LAWS: tuple[Law, ...] = (
    VARIANCE_DATA,
    VARIANCE_WIDTH,
    MANIFOLD,
    SPECTRUM,
    WIDTH,
    WIDTH_GROUPS,
    WEAK,
    UNCERTAINTY,
    DIMENSION,
    COVERAGE,
)
