"""Laws of further axes: parallel streams, looked-up memory, stored knowledge, repetition."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

# --- parallel streams ------------------------------------------------------------------------

_PARALLEL = "Parallel Scaling Law for Language Models"
_STREAMS = [
    Variable(
        "N",
        "parameters",
        "parameters without embeddings; each stream adds about 0.2 % of its own",
        span=(5e8, 4.7e9),
    ),
    Variable("P", "streams", "parallel streams, in training and inference", levels=(1, 2, 4, 8)),
]
_STREAM_BASE = [
    Parameter("E", "log", start=(0.37, 1.5), description="irreducible loss, nats per token"),
    Parameter(
        "A", "log", start=(1e6, 1e10), description="parameters at which the excess loss is 1"
    ),
    Parameter("alpha", bounds=(1e-8, 2.0), start=(0.05, 2.0), description="exponent of parameters"),
]

STREAMS = Law(
    "E + (A / (N * (k * log(P) + 1)))**alpha",
    [
        *_STREAM_BASE,
        Parameter(
            "k",
            bounds=(1e-8, 10.0),
            start=(0.2, 0.8),
            description="gain in effective parameters per unit of log P",
        ),
    ],
    _STREAMS,
    name="parallel-streams",
    source=Source(_PARALLEL, "2505.10475", "eq. 5", 2025),
    protocol="Sum of Huber(1e-3) on log loss, L-BFGS-B, all parameters at least 1e-8, 300 starts "
    "(log E, log A in 1e9, alpha and k on a grid); 24 runs of 42e9 tokens per corpus.",
    published=[
        Published(
            "chen2025-stack-v2-python",
            {"E": 0.6912, "A": 1.131e7, "alpha": 0.1894, "k": 0.3935},
            "the authors' 24 points and recipe, fitted anew; the source prints k = 0.39 and "
            "R2 = 0.9978",
            "N without embeddings, natural logarithm of P, loss in nats per token",
            "to four digits",
        ),
        Published(
            "chen2025-pile",
            {"E": 1.2886, "A": 1.975e8, "alpha": 0.1963, "k": 0.3344},
            "the authors' 24 points and recipe, fitted anew; the source prints k = 0.33 and "
            "R2 = 0.9987",
            "as chen2025-stack-v2-python",
            "to four digits",
        ),
    ],
    notes="P = 1 leaves the plain law of parameters; N (1 + k log P) are the effective parameters. "
    "Resampling the 24 points moves E by 0.15 and k by 0.07 between the 5th and 95th percentile: "
    "six sizes over one decade hardly separate E from A and alpha.",
)

DIVERSITY = Law(
    "E + (A / (N * P**(1 / alpha) * ((P - 1) * rho + 1)**(-1 / alpha)))**alpha",
    [
        *_STREAM_BASE,
        Parameter(
            "rho",
            bounds=(0.0, 1.0),
            start=(0.1, 0.95),
            description="correlation of the streams' residuals",
        ),
    ],
    _STREAMS,
    name="parallel-diversity",
    source=Source(_PARALLEL, "2505.10475", "proposition 1, eq. 4", 2025),
    protocol="As parallel-streams; rho the same in every run.",
    example={"E": 0.6912, "A": 1.131e7, "alpha": 0.1894, "rho": 0.85},
    notes="The theory behind parallel-streams: the excess loss falls by ((P - 1) rho + 1) / P. "
    "With one rho it fits worse than the logarithm (appendix E of the source); its coefficients "
    "are not at hand, those of the example are ours.",
)

# --- looked-up memory ------------------------------------------------------------------------

_ENGRAM = "Conditional Memory via Scalable Lookup: A New Axis of Sparsity for Large Language Models"

ALLOCATION = Law(
    "L_min + h * (rho - rho_star)**2 + g * (rho - rho_star)**3",
    [
        Parameter("L_min", "log", start=(1.0, 3.0), description="loss at the best share, nats"),
        Parameter("h", "log", start=(0.02, 2.0), description="curvature at the best share, nats"),
        Parameter("g", start=(-1.0, 1.0), description="asymmetry of the U, nats"),
        Parameter(
            "rho_star",
            bounds=(0.0, 1.0),
            start=(0.5, 0.95),
            description="best share of experts",
        ),
    ],
    [
        Variable(
            "rho",
            "",
            "share of the inactive parameters given to experts, the rest to memory",
            span=(0.4, 1.0),
        )
    ],
    name="memory-allocation",
    source=Source(_ENGRAM, "2601.07372", "section 3.1, figure 3 (left)", 2026),
    protocol="A sweep of rho at 2e20 and 6e20 FLOPs with total to active parameters about 10; "
    "the optimum is read off the curve.",
    example={"L_min": 1.7109, "h": 0.26065, "g": 0.434375, "rho_star": 0.8},
    notes="The source prints the curve, not a formula: the cubic is ours, with the optimum as a "
    "parameter. The example passes through what the text says of 6e20 FLOPs: 1.7248 at rho = 1, "
    "1.7109 at the optimum near 0.8, and about the loss of rho = 1 again at 0.4. One set per "
    "compute budget; the optimum is 0.75 to 0.80 at both.",
)

MEMORY = Law(
    "a - b * log(M)",
    [
        Parameter("a", start=(1.0, 4.0), description="loss at one slot, nats"),
        Parameter("b", start=(0.001, 0.1), description="gain per unit of log M, nats"),
    ],
    [Variable("M", "slots", "embedding slots of the memory table", span=(2.58e5, 1.0e7))],
    name="memory-slots",
    source=Source(_ENGRAM, "2601.07372", "section 3.2, figure 3 (right)", 2026),
    protocol="One mixture-of-experts backbone (3e9 total, 568e6 active parameters, 100e9 tokens), "
    "slots swept; a line against log M.",
    example={"a": 1.95, "b": 0.0075},
    notes="The caption calls the trend log-linear, the text a power law: over this range of M they "
    "cannot be told apart. No coefficients are printed; those of the example are ours.",
)

# --- stored knowledge ------------------------------------------------------------------------

KNOWLEDGE = Law(
    "min(R * P, B)",
    [Parameter("R", "log", start=(0.1, 8.0), description="capacity, bits per parameter")],
    [
        Variable("P", "parameters", "model parameters", span=(1e6, 5e8)),
        Variable("B", "bits", "information in the data: facts to be learnt", span=(1e7, 1e9)),
    ],
    name="knowledge-capacity",
    target="bits",
    source=Source(
        "Physics of Language Models: Part 3.3, Knowledge Capacity Scaling Laws",
        "2404.05405",
        "section 2 (capacity ratio), results 1 to 4 and 8",
        2024,
    ),
    protocol="Learned bits computed from the losses on names and values; the largest ratio of bits "
    "to parameters over models and data sizes.",
    published=[
        Published(
            "allen-zhu2024-1000-exposures",
            {"R": 2.0},
            "results 1 to 3",
            "all parameters, bits; each fact seen 1,000 times; 16 bit or int8 weights",
            "a lower end: R is at least 2 in every setting tried",
        ),
        Published(
            "allen-zhu2024-100-exposures",
            {"R": 1.0},
            "result 4",
            "as before, each fact seen 100 times",
            "GPT-2 architecture; gated MLPs reach about 1.3 times less",
        ),
        Published(
            "allen-zhu2024-int4",
            {"R": 0.7},
            "result 8",
            "as 1,000 exposures, weights quantized to int4",
        ),
    ],
    notes="An upper envelope: fit it to the best run of each size, or with a quantile loss, not "
    "to all runs. R is the slope where the model is too small for the data; rows with R P > B say "
    "nothing about it. B of the source's n synthetic people is about n (log2(1.6e8 / n) + 47.6). "
    "A mixture of 32 experts loses a factor of 1.3 (result 9).",
)

# --- repetition ------------------------------------------------------------------------------

PEAK = Law(
    "k * N**alpha",
    [
        Parameter("k", "log", start=(1e4, 1e10), description="epochs at one parameter"),
        Parameter("alpha", start=(-1.0, 0.0), description="exponent of parameters"),
    ],
    [Variable("N", "parameters", "model parameters without embeddings", span=(1.5e6, 8e8))],
    name="repetition-peak",
    target="epochs",
    source=Source(
        "Scaling Laws and Interpretability of Learning from Repeated Data",
        "2205.10487",
        "place of the double descent peak",
        2022,
    ),
    protocol="The number of repetitions at which test loss is worst, against model size, in "
    "log-log; 100e9 tokens, a tenth of them repeated.",
    example={"k": 5e7, "alpha": -0.5},
    notes="Where repeating a small part of the data does most harm. That harm is given as the size "
    "of a model of equal loss on clean data: 800e6 parameters perform like 400e6 when 0.1 % of "
    "the data is repeated 100 times (abstract). Sizes of k and alpha in the example are from "
    "memory of the source and could not be checked.",
    verified=False,
)

LAWS: tuple[Law, ...] = (STREAMS, DIVERSITY, ALLOCATION, MEMORY, KNOWLEDGE, PEAK)
