"""Laws of training hyper-parameters: best learning rate and batch size, critical batch, rules."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

_N = Variable("N", "parameters", "model parameters without embeddings", span=(6e7, 1e9))
_D = Variable("D", "tokens", "training tokens", span=(2e9, 1e11))


# --- best learning rate and batch size ------------------------------------------------------------

_STEP = (
    "Predictable Scale: Part I -- Optimal Hyperparameter Scaling Law in Large Language Model "
    "Pretraining"
)
_STEP_FIT = (
    "Best pair on a grid of rates and batch sizes for each N and D, then a line in logarithms by "
    "least squares; 1,000 bootstrap refits."
)

STEP_RATE = Law(
    "c * N**a * D**b",
    [
        Parameter(
            "c",
            "log",
            start=(1e-3, 1e4),
            description="learning rate at one parameter and one token",
        ),
        Parameter("a", start=(-1.5, 0.0), description="exponent of parameters, negative"),
        Parameter("b", start=(0.0, 1.0), description="exponent of tokens"),
    ],
    [_N, _D],
    name="step-law-learning-rate",
    target="learning_rate",
    source=Source(_STEP, "2503.04715", "eq. 1", 2025),
    published=[
        Published(
            "li2025",
            {"c": 1.79, "a": -0.713, "b": 0.307},
            "eq. 1",
            "N without embeddings, D in tokens, Adam's peak rate, final rate 1e-5",
            "95 % intervals of the released refits: a -.774 to -.655, b .271 to .345",
        )
    ],
    protocol=_STEP_FIT,
    notes="The product form leaves c to be extrapolated over 20 e-folds: it is known only together "
    "with a and b. A refit of the released dense runs gives a -.766 and b .197.",
)

STEP_BATCH = Law(
    "c * D**p",
    [
        Parameter("c", "log", start=(1e-4, 1e4), description="tokens per batch at one token"),
        Parameter("p", start=(0.0, 1.5), description="exponent of tokens"),
    ],
    [_D],
    name="step-law-batch",
    target="batch_size",
    source=Source(_STEP, "2503.04715", "eq. 1", 2025),
    published=[
        Published(
            "li2025",
            {"c": 0.58, "p": 0.571},
            "eq. 1",
            "D and batch size in tokens",
            "95 % interval of p in the released refits: .534 to .606",
        )
    ],
    protocol=_STEP_FIT,
    notes="Independent of N by finding, not by assumption.",
)

_PORIAN = "Resolving Discrepancies in Compute-Optimal Scaling of Language Models"
_PORIAN_NOTE = "Read in the table in which 2503.04715 compares published laws, in its units."

PORIAN_RATE = Law(
    "c * N**-p",
    [
        Parameter("c", "log", start=(1e-3, 1e4), description="learning rate at one parameter"),
        Parameter("p", start=(0.0, 1.0), description="exponent of size"),
    ],
    [_N],
    name="porian-learning-rate",
    target="learning_rate",
    source=Source(_PORIAN, "2406.19146", "section 4, hyper-parameter sweep", 2024),
    published=[
        Published(
            "porian2024",
            {"c": 3.7, "p": 0.36},
            "section 4",
            "N in parameters, Adam's peak rate",
            _PORIAN_NOTE,
        )
    ],
    protocol="Interpolation of the loss in the rate, then in the batch, and a line in logarithms "
    "through the optima of small models at 20 tokens per parameter.",
    notes="D is proportional to N in the sweep, so that an effect of D is part of p.",
)

PORIAN_BATCH = Law(
    "c * N**p",
    [
        Parameter("c", "log", start=(1e-4, 1e4), description="tokens per batch at one parameter"),
        Parameter("p", start=(0.0, 1.5), description="exponent of size"),
    ],
    [_N],
    name="porian-batch",
    target="batch_size",
    source=Source(_PORIAN, "2406.19146", "section 4, hyper-parameter sweep", 2024),
    published=[
        Published(
            "porian2024",
            {"c": 0.7576, "p": 0.703},
            "section 4",
            "N in parameters, batch size in tokens",
            _PORIAN_NOTE,
        )
    ],
    protocol=PORIAN_RATE.protocol,
    notes=PORIAN_RATE.notes,
)

_HORIZON = "Scaling Optimal LR Across Token Horizons"
_HORIZON_FIT = (
    "A parabola of the loss in the logarithm of the rate for each N and D, its minimum with a "
    "bootstrap error, then a line in logarithms."
)
_HORIZON_NOTES = (
    "Exponents .23 and .32 agree between reviews and 2503.04715's table, which prints a constant "
    "of 1.3192e-5. Counts of parameters and tokens give absurd rates with it and its units were "
    "not found, so the example has a constant of ours. Reviews note that beta moves with the size. "
    "Rule of thumb: multiply the rate by (D_1 / D_2)**beta when going from D_1 to D_2."
)
_HORIZON_D = Variable("D", "tokens", "training tokens", span=(2.5e10, 8e11))

HORIZON = Law(
    "C * N**-alpha * D**-beta",
    [
        Parameter(
            "C",
            "log",
            start=(1e-3, 1e6),
            description="learning rate at one parameter and one token",
        ),
        Parameter("alpha", start=(0.0, 1.0), description="exponent of parameters"),
        Parameter("beta", start=(0.0, 1.0), description="exponent of tokens"),
    ],
    [Variable("N", "parameters", "model parameters", span=(5e7, 2.7e9)), _HORIZON_D],
    name="token-horizon",
    target="learning_rate",
    source=Source(_HORIZON, "2409.19913", "section 4, LR*(N, D)", 2024),
    example={"C": 150.0, "alpha": 0.23, "beta": 0.32},
    protocol=_HORIZON_FIT,
    notes=_HORIZON_NOTES,
    verified=False,
)

HORIZON_ONE_SIZE = Law(
    "B * D**-beta",
    [
        Parameter("B", "log", start=(1e-4, 1e4), description="learning rate at one token"),
        Parameter("beta", start=(0.0, 1.0), description="exponent of tokens"),
    ],
    [_HORIZON_D],
    name="token-horizon-one-size",
    target="learning_rate",
    source=Source(_HORIZON, "2409.19913", "section 3, LR*(D)", 2024),
    example={"B": 1.4, "beta": 0.32},
    protocol=_HORIZON_FIT,
    notes=_HORIZON_NOTES,
    verified=False,
)

_TIME = "Time Transfer: On Optimal Learning Rate and Batch Size In The Infinite Data Limit"
_TIME_NOTES = (
    "The abstract of the first version has three regimes of the best rate at a fixed batch, "
    "sqrt(T), constant and 1 / sqrt(T), switched by B against B_crit, which grows as T."
)
_TIME_T = Variable("T", "tokens", "token budget", span=(1e9, 2.6e11))
_TIME_B = Variable("B", "tokens", "batch size", span=(6.5e4, 4e6))

TIME_RATE = Law(
    "eta_0 / (sqrt(B / (b * T)) + sqrt(b * T / B))",
    [
        Parameter(
            "eta_0", "log", start=(1e-4, 1.0), description="twice the learning rate at B = B_crit"
        ),
        Parameter(
            "b",
            "log",
            start=(1e-7, 1e-2),
            description="critical batch size per token of the budget",
        ),
    ],
    [_TIME_T, _TIME_B],
    name="time-transfer-learning-rate",
    target="learning_rate",
    source=Source(_TIME, "2410.05838", "three regimes of the optimal rate", 2024),
    example={"eta_0": 0.01, "b": 2e-5},
    protocol="Best rate per batch size and budget, with a tolerance band; rules drawn by eye.",
    notes=_TIME_NOTES + " One smooth form that has all three; whether it is the parametric fit of "
    "the second version could not be checked, and the example is ours.",
    verified=False,
)

TIME_BATCH = Law(
    "b * T**p",
    [
        Parameter("b", "log", start=(1e-7, 1e5), description="tokens per batch at one token"),
        Parameter(
            "p",
            start=(0.0, 1.5),
            description="exponent of the budget; 1 for the critical batch, 1/2 for the best one",
        ),
    ],
    [_TIME_T],
    name="time-transfer-critical-batch",
    target="B_crit",
    source=Source(_TIME, "2410.05838", "B_crit proportional to T (abstract)", 2024),
    example={"b": 2e-5, "p": 1.0},
    protocol=TIME_RATE.protocol,
    notes=_TIME_NOTES
    + " The best batch is said to grow as sqrt(T), on two sizes. The scale of the "
    "example is ours.",
    verified=False,
)

_SHUAI = "Scaling Law for Language Models Training Considering Batch Size"
_SHUAI_C = Variable("C", "FLOP", "training compute", span=(1e18, 5e21))
_SHUAI_LAWS = {
    "parameters": ("N_opt", 0.464, 1.1, (1e-6, 1e6), "parameters"),
    "tokens": ("D_opt", 0.536, 0.15, (1e-6, 1e6), "tokens"),
    "batch": ("B_opt", 0.102, 1.2e4, (1.0, 1e9), "tokens per batch"),
    "steps": ("S_opt", 0.434, 1.2e-5, (1e-10, 1e3), "steps"),
}

SHUAI = tuple(
    Law(
        "k * C**a",
        [
            Parameter("k", "log", start=start, description=f"{what} at one FLOP"),
            Parameter("a", start=(0.0, 1.0), description="exponent of compute"),
        ],
        [_SHUAI_C],
        name=f"shuai-optimal-{name}",
        target=target,
        source=Source(_SHUAI, "2412.01505", "section 4, fixed compute", 2024),
        example={"k": k, "a": a},
        protocol="A Chinchilla-type fit of runs of 125M to 2.6B parameters, then lines in "
        "logarithms through points of the frontier.",
        notes="Exponents from a summary of the paper; they add up, .464 + .536 = 1 and .434 + .102 "
        "= .536. Scales were not found: those of the example are ours.",
        verified=False,
    )
    for name, (target, a, k, start, what) in _SHUAI_LAWS.items()
)

SHUAI_RATE = Law(
    "k * B**gamma",
    [
        Parameter(
            "k", "log", start=(1e-12, 1.0), description="learning rate at a batch of one token"
        ),
        Parameter(
            "gamma",
            start=(0.0, 1.5),
            description="exponent of the batch size; .75 to 1 in the source",
        ),
    ],
    [Variable("B", "tokens", "batch size", span=(1e5, 1.6e7))],
    name="shuai-learning-rate",
    target="learning_rate",
    source=Source(_SHUAI, "2412.01505", "learning rate against batch size", 2024),
    example={"k": 2e-9, "gamma": 0.85},
    protocol="Sweeps of the rate at several batch sizes.",
    notes="A range of gamma is all that was found; the example is ours.",
    verified=False,
)

# --- critical batch size --------------------------------------------------------------------------

_CBS = "How Does Critical Batch Size Scale in Pre-training?"
_CBS_FIT = (
    "Fewest steps to a target loss over sweeps of the optimizer's settings, with averaged weights "
    "and a constant rate; a curve of steps against batch per model; the batch at which steps are "
    "20 % more than linear scaling; then a line in logarithms."
)
_CBS_B = Variable(
    "B",
    "sequences",
    "batch size in sequences of 512 tokens",
    levels=tuple(float(2**k) for k in range(6, 15)),
)

CBS_STEPS = Law(
    "a + b / B**alpha",
    [
        Parameter("a", "log", start=(10.0, 1e5), description="steps at infinite batch"),
        Parameter("b", "log", start=(1e3, 1e9), description="steps at a batch of one, above a"),
        Parameter(
            "alpha",
            start=(0.2, 2.0),
            description="exponent of the batch size; 1 for linear scaling",
        ),
    ],
    [_CBS_B],
    name="critical-batch-steps",
    target="steps",
    source=Source(_CBS, "2410.21676", "section 3, steps to target", 2024),
    example={"a": 2000.0, "b": 2.4e6, "alpha": 0.97},
    protocol=_CBS_FIT,
    notes="One fit per model and target loss. The definition of the critical batch matters: from "
    "the released table this form gives an exponent in N of .30 to .38, depending on where linear "
    "scaling is measured; the source's .468 comes from critical-batch-time-data and 20 % more "
    "tokens than at 256 sequences, and B_crit itself gives .62. Form read in the "
    "authors' notebook, coefficients per model not printed: the example is ours.",
    verified=False,
)

CBS_TRADE = Law(
    "S_min * (1 + B_crit / B)",
    [
        Parameter("S_min", "log", start=(10.0, 1e6), description="steps at infinite batch"),
        Parameter("B_crit", "log", start=(1.0, 1e5), description="critical batch size, sequences"),
    ],
    [_CBS_B],
    name="critical-batch-time-data",
    target="steps",
    source=Source(_CBS, "2410.21676", "the hyperbola of McCandlish et al. (1812.06162)", 2024),
    example={"S_min": 2000.0, "B_crit": 1200.0},
    protocol="Least squares per model and target loss.",
    notes="The form that Kaplan et al. use; one fit per model. Textbook form; the example is ours.",
)

CBS_SIZE = Law(
    "c * N**p",
    [
        Parameter("c", "log", start=(0.1, 1e5), description="sequences at one million parameters"),
        Parameter("p", start=(0.0, 1.5), description="exponent of parameters"),
    ],
    [Variable("N", "1e6 parameters", "model parameters without embeddings", span=(85.0, 1200.0))],
    name="critical-batch-parameters",
    target="B_crit",
    source=Source(_CBS, "2410.21676", "section 4, D = 20 N", 2024),
    published=[
        Published(
            "zhang2024",
            {"c": 93.197, "p": 0.4683},
            "authors' notebook plots/chinchilla.ipynb",
            "N in millions, B_crit in sequences of 512 tokens",
            "five models, 85M to 1.2B, with D = 20 N. B_crit is the batch that needs 20 % more "
            "tokens than one of 256 by critical-batch-time-data, fitted per model: the released "
            "table then gives these figures to all digits",
        )
    ],
    protocol=_CBS_FIT,
    notes="N and D move together here: see critical-batch-tokens.",
)

CBS_TOKENS = Law(
    "c * D**p",
    [
        Parameter("c", "log", start=(0.01, 1e4), description="sequences at one million tokens"),
        Parameter("p", start=(0.0, 1.5), description="exponent of tokens"),
    ],
    [Variable("D", "1e6 tokens", "training tokens", span=(1.7e3, 2.4e4))],
    name="critical-batch-tokens",
    target="B_crit",
    source=Source(_CBS, "2410.21676", "section 4, the same fit against D", 2024),
    published=[
        Published(
            "zhang2024",
            {"c": 93.197 / 20**0.4683, "p": 0.4683},
            "from critical-batch-parameters with D = 20 N",
            "D in millions of tokens, B_crit in sequences of 512 tokens",
            "c = 22.9 by algebra, not a fit of its own",
        )
    ],
    protocol=_CBS_FIT,
    notes="Runs at fixed N and at fixed D show the growth to be D's, and the critical batch flat "
    "in N; so this is the law to extrapolate with.",
)

# --- transfer rules -------------------------------------------------------------------------------

EMA = Law(
    "rho**(kappa**p)",
    [Parameter("p", start=(0.0, 2.0), description="exponent of the batch ratio; 1 is the rule")],
    [
        Variable(
            "rho", "", "momentum of the moving average at the first batch", span=(0.9, 0.9999)
        ),
        Variable("kappa", "", "batch size over the first batch size", span=(0.125, 64.0)),
    ],
    name="ema-momentum",
    target="momentum",
    source=Source("How to Scale Your EMA", "2307.13813", "EMA scaling rule", 2023),
    published=[
        Published("rule", {"p": 1.0}, "EMA scaling rule", "kappa as a ratio", "derived, not fitted")
    ],
    protocol="None: derived from a stochastic differential equation, checked by training.",
    notes="The rule is momentum = rho**kappa; the exponent p makes it testable. The learning rate "
    "goes with kappa for SGD and with its root for Adam.",
)

_SPLATTING = "On Scaling Up 3D Gaussian Splatting Training"
SPLATTING_RATE = Law(
    "rate * B**p",
    [Parameter("p", start=(0.0, 1.5), description="exponent of the batch size; 1/2 is the rule")],
    [
        Variable("rate", "", "learning rate at a batch of one image", span=(1e-5, 1e-1)),
        Variable("B", "images", "batch size", span=(1.0, 64.0)),
    ],
    name="splatting-learning-rate",
    target="learning_rate",
    source=Source(_SPLATTING, "2406.18533", "section 4, hyper-parameter scaling", 2024),
    published=[
        Published("rule", {"p": 0.5}, "section 4", "B in images", "derived, checked by training")
    ],
    protocol="None: derived for independent gradients.",
    notes="The rule is rate * sqrt(B).",
)

SPLATTING_MOMENTUM = Law(
    "beta**(B**p)",
    [Parameter("p", start=(0.0, 2.0), description="exponent of the batch size; 1 is the rule")],
    [
        Variable("beta", "", "momentum at a batch of one image", span=(0.9, 0.999)),
        Variable("B", "images", "batch size", span=(1.0, 64.0)),
    ],
    name="splatting-momentum",
    target="momentum",
    source=Source(_SPLATTING, "2406.18533", "section 4, hyper-parameter scaling", 2024),
    published=[
        Published("rule", {"p": 1.0}, "section 4", "B in images", "derived, checked by training")
    ],
    protocol="None: derived for independent gradients.",
    notes="The rule is beta**B. One third-party implementation reads it as beta**sqrt(B), p = 1/2; "
    "the paper's text was not at hand.",
    verified=False,
)

LAWS: tuple[Law, ...] = (
    STEP_RATE,
    STEP_BATCH,
    PORIAN_RATE,
    PORIAN_BATCH,
    HORIZON,
    HORIZON_ONE_SIZE,
    TIME_RATE,
    TIME_BATCH,
    *SHUAI,
    SHUAI_RATE,
    CBS_STEPS,
    CBS_TRADE,
    CBS_SIZE,
    CBS_TOKENS,
    EMA,
    SPLATTING_RATE,
    SPLATTING_MOMENTUM,
)
