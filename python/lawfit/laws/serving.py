"""Laws of use: accuracy of larger models, retrieval and collaboration, and what inference costs."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

# --- accuracy of larger models ---------------------------------------------------------------

CLUSTER = Law(
    "g + (1 - g) * exp(-a * C**-b - c)",
    [
        Parameter("g", bounds=(0.0, 1.0), start=(0.0, 0.5), description="rate of random guesses"),
        Parameter("a", "log", start=(1.0, 100.0), description="scale of the answer's loss, nats"),
        Parameter("b", bounds=(0.0, 3.0), start=(0.1, 1.0), description="exponent of compute"),
        Parameter(
            "c", bounds=(0.0, 5.0), start=(0.0, 1.0), description="irreducible loss, sets a ceiling"
        ),
    ],
    [Variable("C", "1e19 FLOP", "training compute", span=(1.0, 1e5))],
    name="clustered-accuracy",
    target="accuracy",
    source=Source(
        "Unveiling Downstream Performance Scaling of LLMs: A Clustering-Based Perspective",
        "2502.17262",
        "theorem 1 and eq. 4",
        2025,
    ),
    protocol="Items clustered by their pass rates over a ladder of small models; least squares per "
    "cluster; clusters with a <= 1, b <= 0.1 or c >= 1 are not extrapolated.",
    example={"g": 0.1, "a": 3.0, "b": 0.25, "c": 0.1},
    notes="Per cluster of items alike in difficulty; over a mixed set the mean of exponentials is "
    "not an exponential. The score of the clusters kept is mapped to the whole set by a monotone "
    "smoothing spline through (0, 0) and (1, 1) in the final version (a quartic is quoted from "
    "an earlier one). All four are fitted; g is "
    "known only where the smallest models guess. The unit of C is not printed, nor are "
    "coefficients; those of the example are ours.",
)

# --- retrieval -------------------------------------------------------------------------------

_RAG = "Inference Scaling for Long-Context Retrieval Augmented Generation"
_THETA = (
    "(a_doc + b_doc * i_doc) * log(k) + (a_shot + b_shot * i_shot) * log(m) + a_iter * log(n) + c"
)
_RAG_VARIABLES = [
    Variable("k", "documents", "documents retrieved, shifted above 0", span=(1.0, 1000.0)),
    Variable("m", "examples", "examples in the prompt, shifted above 0", span=(1.0, 256.0)),
    Variable("n", "steps", "largest number of retrieval steps", levels=(1, 2, 3, 4, 5)),
    Variable("i_doc", "", "gain from one document over none, per task", span=(0.0, 3.0)),
    Variable("i_shot", "", "gain from one example over none, per task", span=(0.0, 3.0)),
]
_RAG_PARAMETERS = [
    Parameter("a_doc", start=(-1.0, 1.0), description="documents"),
    Parameter("b_doc", start=(-0.5, 0.5), description="documents, per unit of their gain"),
    Parameter("a_shot", start=(-1.0, 1.0), description="examples"),
    Parameter("b_shot", start=(-0.5, 0.5), description="examples, per unit of their gain"),
    Parameter("a_iter", start=(-1.0, 1.0), description="steps"),
    Parameter("c", start=(-2.0, 2.0), description="constant"),
]
_RAG_PROTOCOL = (
    "Least squares over (k, m, n) and tasks for one model, in the space of the inverse sigmoid."
)
_YUE = {
    "a_doc": 0.325,
    "b_doc": -0.067,
    "a_shot": 0.101,
    "b_shot": -0.008,
    "a_iter": 0.177,
    "c": -0.730,
}

RETRIEVAL = Law(
    f"sigmoid({_THETA})",
    _RAG_PARAMETERS,
    _RAG_VARIABLES,
    name="retrieval-allocation",
    target="accuracy",
    source=Source(_RAG, "2410.04343", "eq. 2", 2024),
    protocol=_RAG_PROTOCOL,
    example=_YUE,
    notes="Fit with residual='logit' for the source's least squares. Counts of 0 need a shift, "
    "whose size is not printed. The printed coefficients belong to another sigmoid: see "
    "retrieval-normalised. The best (k, m, n) under a limit of context is searched on a grid.",
)

NORMALISED = Law(
    f"3.30 / (1 + exp(-1.81 * ({_THETA} + 0.46))) - 2.18",
    _RAG_PARAMETERS,
    _RAG_VARIABLES,
    name="retrieval-normalised",
    target="performance",
    source=Source(_RAG, "2410.04343", "eq. 2 with the sigmoid of appendix F", 2024),
    protocol=_RAG_PROTOCOL,
    published=[
        Published(
            "yue2024-gemini-1.5-flash",
            _YUE,
            "appendix F, table 8",
            "natural logarithms, performance normalised per task (it may be negative)",
            "R2 0.903; b_shot has p = 0.09, the others are significant; b of the steps is held "
            "at 0",
        )
    ],
    notes="The four constants of the sigmoid were fitted to the same data. They must stay fixed: "
    "freeing them makes the slopes and the constant redundant. Values may be below 0: fit with "
    "residual='linear'.",
)

# --- large and small models together ---------------------------------------------------------

COLLABORATION = Law(
    "-a * R**-alpha + b",
    [
        Parameter("a", bounds=(0.05, 100.0), start=(0.05, 2.0), description="depth at R = 1"),
        Parameter("alpha", bounds=(0.05, 10.0), start=(0.05, 2.0), description="exponent"),
        Parameter("b", bounds=(0.05, 100.0), start=(0.05, 2.0), description="frequency at large R"),
    ],
    [Variable("R", "", "parameters of the large model over those of the small", span=(1.5, 144.0))],
    name="collaboration-frequency",
    target="frequency",
    source=Source(
        "Fast and Slow Generating: An Empirical Study on Large and Small Language Models "
        "Collaborative Decoding",
        "2406.12295",
        "repository, visualize/scaling_law.py; figure 4",
        2024,
    ),
    protocol="scipy.optimize.curve_fit from (1, 1, 1), all parameters at least 0.05; 10 to 20 "
    "pairs of models per task and method.",
    example={"a": 0.2, "alpha": 0.5, "b": 0.22},
    notes="How often the large model must step in; below 20 % (abstract). As alpha goes to 0 with "
    "a and b growing, the law becomes b' + c log R: on the authors' tables 3 of 12 fits end at the "
    "bound alpha = 0.05. Then fit b + c * (1 - R**-alpha) / alpha, in which the limit is regular, "
    "or the line in log R. Coefficients are not stored with the code; those of the example are "
    "ours.",
)

# --- cost ------------------------------------------------------------------------------------

_KINETICS = "Kinetics: Rethinking Test-Time Scaling Laws"
_HEADS = [
    Variable("N", "parameters", "model parameters", levels=(7.52e8, 2.03e9, 4.02e9, 8.19e9)),
    Variable("L", "tokens", "generated tokens per trial", span=(2048, 32768)),
    Variable("T", "trials", "trials per question", levels=(1, 2, 4, 8, 16, 32)),
    Variable("c", "tokens", "length of the prompt", span=(100, 2000)),
    Variable("h", "heads", "attention heads", levels=(16, 32)),
    Variable("h_kv", "heads", "heads of keys and values", levels=(8,)),
    Variable("d", "units", "head dimension times layers", levels=(3584, 4608)),
]
_INTENSITY = Parameter(
    "intensity", "log", start=(10.0, 5000.0), description="FLOPs the hardware does per byte moved"
)

DENSE_COST = Law(
    "T * (2 * N * L + 2 * (2 * c + L) * L * h * d)"
    " + intensity * 2 * (2 * c + L * T) * L * h_kv * d",
    [_INTENSITY],
    _HEADS,
    name="inference-cost-dense",
    target="eflops",
    source=Source(_KINETICS, "2506.05333", "repository, cost_model/utils.py, dense_cost", 2025),
    protocol="Not fitted: a count. The intensity is that of the hardware.",
    published=[
        Published(
            "sadhukhan2025",
            {"intensity": 562.5},
            "repository, cost_model/best_of_N/cost_model_ntrial.py",
            "FLOPs per byte; N all parameters, lengths in tokens",
            "keys and values of the prompt shared by the trials; reading the weights left out",
        )
    ],
    notes="Compute plus memory traffic in equivalent FLOPs, for the cost of a plan. Not a fit.",
)

SPARSE_COST = Law(
    "T * (2 * N * L + 4 * (K * L - max(0, K - c)**2 / 2) * h * d)"
    " + intensity * 4 * T * (K * L - max(0, K - c)**2 / 2) * h_kv * d",
    [_INTENSITY],
    [*_HEADS, Variable("K", "tokens", "budget of keys and values", span=(32, 1024))],
    name="inference-cost-sparse",
    target="eflops",
    source=Source(
        _KINETICS, "2506.05333", "repository, cost_model/utils.py, zero_overhead_sparse_cost", 2025
    ),
    protocol="Not fitted: a count.",
    published=[
        Published(
            "sadhukhan2025",
            {"intensity": 562.5},
            "repository, cost_model/best_of_N/cost_model_ntrial.py",
            "as inference-cost-dense",
        )
    ],
    notes="The budget K in place of the mean context. Until the context has grown to K less is "
    "read, hence the minus; the repository has a plus here and a minus in its block-sparse cost.",
)

LATENCY = Law(
    "t_0 + t_prompt * p + (o - 1) * t_out",
    [
        Parameter("t_0", "log", start=(1e-3, 1.0), description="overhead, seconds"),
        Parameter("t_prompt", "log", start=(1e-6, 1e-2), description="seconds per prompt token"),
        Parameter("t_out", "log", start=(1e-3, 1.0), description="seconds per output token"),
    ],
    [
        Variable("p", "tokens", "prompt", span=(1, 2000)),
        Variable("o", "tokens", "output, at least 1", span=(1, 64)),
    ],
    name="request-latency",
    target="latency",
    source=Source(
        "Cheaply Evaluating Inference Efficiency Metrics for Autoregressive Transformer APIs",
        "2305.02440",
        "idealised runtime",
        2023,
    ),
    protocol="Linear regression on runs on dedicated hardware.",
    example={"t_0": 0.02, "t_prompt": 1e-4, "t_out": 0.02},
    notes="The source has a piecewise linear time of the prompt, of which this is one piece. Form "
    "not checked against a second text; the coefficients of the example are ours.",
    verified=False,
)

CONVOLUTION = Law(
    "ops / (peak * efficiency)",
    [
        Parameter(
            "efficiency",
            "log",
            bounds=(0.0, 1.0),
            start=(0.05, 0.9),
            description="share of the peak that is reached",
        )
    ],
    [
        Variable("ops", "FLOP", "arithmetic of the network", span=(1e9, 1e12)),
        Variable("peak", "FLOP/s", "peak rate of the hardware", span=(1e13, 1e15)),
    ],
    name="convolution-latency",
    target="latency",
    source=Source(
        "On the Efficiency of Convolutional Neural Networks",
        "2404.03617",
        "latency from complexity and computational efficiency (abstract, in words)",
        2024,
    ),
    protocol="Not fitted: efficiency is measured per layer and network.",
    example={"efficiency": 0.4},
    notes="A definition: it becomes a law where efficiency is the same over networks. The value in "
    "the example is ours.",
)

LAWS: tuple[Law, ...] = (
    CLUSTER,
    RETRIEVAL,
    NORMALISED,
    COLLABORATION,
    DENSE_COST,
    SPARSE_COST,
    LATENCY,
    CONVOLUTION,
)
