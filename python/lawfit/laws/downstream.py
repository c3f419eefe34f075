"""Laws of downstream scores: task loss and accuracy against scale, emergence, density."""

from __future__ import annotations

from ..errors import InputError
from ..law import Law, Parameter, Published, Source, Variable

_C = Variable("C", "FLOP", "training compute, 6 N D", span=(1e18, 1e24))

# --- model ladders ---------------------------------------------------------------------------

_LADDER = "Establishing Task Scaling Laws via Compute-Efficient Model Ladders"
_LADDER_N = Variable(
    "N", "parameters", "model parameters of the ladder", levels=(1.9e8, 3.7e8, 7.6e8, 1.3e9)
)
_LADDER_D = Variable(
    "D", "tokens", "training tokens, 1 to 10 times Chinchilla's", span=(3e9, 2.6e11)
)
_TASK_LOSS = Variable(
    "L", "bits per byte", "loss of the correct answer on the task", span=(0.4, 1.6)
)
_LADDER_TERMS = [
    Parameter("A", "log", bounds=(1.0, 1e30), start=(3.0, 3e3), description="scale, parameters"),
    Parameter("alpha", bounds=(0.0, 5.0), start=(0.05, 0.6), description="exponent of N"),
    Parameter("B", "log", bounds=(1.0, 1e30), start=(3.0, 3e4), description="scale, data"),
    Parameter("beta", bounds=(0.0, 5.0), start=(0.05, 0.6), description="exponent of D"),
]

LADDER_LOSS = Law(
    "A / N**alpha + B / D**beta + E",
    [
        *_LADDER_TERMS,
        Parameter("E", "log", start=(0.05, 1.5), description="irreducible task loss, bits/byte"),
    ],
    [_LADDER_N, _LADDER_D],
    name="ladder-task-loss",
    target="task_loss",
    source=Source(_LADDER, "2412.04403", "step 1, section 3", 2024),
    example={"A": 60.0, "alpha": 0.25, "B": 300.0, "beta": 0.28, "E": 0.5},
    protocol="Huber(1e-3) on log loss of final checkpoints, one start (log A 3, log B 6, alpha 0.1,"
    " beta 0.2, E 1), L-BFGS-B with bounds at 0.",
    notes="Chinchilla's form for the loss of the correct answer; first of two chained fits. "
    "Coefficients differ per task and are printed in figures only. With four sizes and a noise of "
    "0.2 %, A is known to a tenth.",
)

LADDER_LOSS_FLOPS = Law(
    "A / C**alpha + E",
    [
        Parameter("A", "log", start=(1.0, 1e6), description="scale of the compute term"),
        Parameter("alpha", bounds=(0.0, 5.0), start=(0.02, 0.6), description="exponent of C"),
        Parameter("E", "log", start=(0.05, 1.5), description="irreducible task loss, bits/byte"),
    ],
    [_C],
    name="ladder-task-loss-compute",
    target="task_loss",
    source=Source(_LADDER, "2412.04403", "the variant on FLOPs of step 1", 2024),
    example={"A": 2e3, "alpha": 0.18, "E": 0.5},
    protocol="As ladder-task-loss.",
    notes="Cannot tell compute-optimal from over-trained models, which is the source's point.",
)

LADDER_ACCURACY = Law(
    "a / (1 + exp(-k * (L - L_0))) + b",
    [
        Parameter("a", bounds=(-1.0, 0.0), start=(-0.9, -0.1), description="height of the step"),
        Parameter("k", start=(1.0, 12.0), description="steepness, bytes per bit"),
        Parameter("L_0", start=(0.4, 1.5), description="task loss at half height, bits/byte"),
        Parameter("b", bounds=(0.0, 1.0), start=(0.2, 1.0), description="accuracy at zero loss"),
    ],
    [_TASK_LOSS],
    name="ladder-accuracy",
    target="accuracy",
    source=Source(_LADDER, "2412.04403", "step 2, section 3", 2024),
    example={"a": -0.7, "k": 6.0, "L_0": 0.9, "b": 0.95},
    protocol="Least squares on all checkpoints but the first tenth, losses averaged over 5, "
    "bounds a in [-1, 0] and b in [0, 1].",
    notes="Second of two chained fits: L is what ladder-task-loss predicts.",
)

LADDER_ACCURACY_LOG = Law(
    "1 - a * log(1 - 1 / (1 + exp(-k * (L - L_0))))",
    [
        Parameter("a", bounds=(-10.0, 0.0), start=(-0.5, -0.02), description="height"),
        Parameter("k", start=(1.0, 12.0), description="steepness, bytes per bit"),
        Parameter("L_0", start=(0.2, 1.2), description="task loss at the knee, bits/byte"),
    ],
    [_TASK_LOSS],
    name="ladder-accuracy-log-sigmoid",
    target="accuracy",
    source=Source(_LADDER, "2412.04403", "the log-sigmoid link of the authors' code", 2024),
    example={"a": -0.1, "k": 6.0, "L_0": 0.5},
    protocol="As ladder-accuracy.",
    notes="A hinge: 1 + a * softplus(k * (L - L_0)). Perfect accuracy at low loss is built in. Far "
    "above L_0 only the product a * k is seen.",
)

LADDER_SINGLE = Law(
    "p / (1 + exp(-(A / N**alpha + B / D**beta + E))) + q",
    [
        *_LADDER_TERMS,
        Parameter("E", start=(-8.0, 1.0), description="offset inside the link"),
        Parameter("p", bounds=(-1.0, 0.0), start=(-1.0, -0.3), description="height of the step"),
        Parameter("q", bounds=(0.0, 1.0), start=(0.5, 1.0), description="upper asymptote"),
    ],
    [_LADDER_N, _LADDER_D],
    name="ladder-single-step",
    target="accuracy",
    source=Source(_LADDER, "2412.04403", "the single-step variant, section 5", 2024),
    example={
        "A": 400.0, "alpha": 0.25, "B": 3e3, "beta": 0.3, "E": -5.0, "p": -0.9, "q": 0.95,
    },
    protocol="Huber(1e-3) on log accuracy from one start (3, 5, 0.2, 0.3, 0, chance - 1, 1) in "
    "(log A, log B, alpha, beta, E, p, q).",
    notes="Seven coefficients for one curve: E, p and q trade off with each other and with A and "
    "B. At a noise of 0.2 % they are known to several percent only.",
)  # fmt: skip

# --- observational ---------------------------------------------------------------------------

_OBSERVATIONAL = "Observational Scaling Laws and the Predictability of Language Model Performance"

OBSERVATIONAL = Law(
    "h / (1 + exp(-(beta_1 * S_1 + beta_2 * S_2 + beta_3 * S_3 + alpha)))",
    [
        Parameter("h", bounds=(0.8, 1.0), start=(0.8, 1.0), description="error at low capability"),
        Parameter("beta_1", start=(-6.0, 1.0), description="weight of the first component"),
        Parameter("beta_2", start=(-4.0, 4.0), description="weight of the second component"),
        Parameter("beta_3", start=(-4.0, 4.0), description="weight of the third component"),
        Parameter("alpha", start=(-2.0, 2.0), description="offset"),
    ],
    [
        Variable(f"S_{i}", "", f"principal component {i} of the benchmark matrix", span=(-1.0, 1.0))
        for i in (1, 2, 3)
    ],
    name="observational-metric",
    target="error",
    source=Source(_OBSERVATIONAL, "2405.10938", "eq. 3 and 6", 2024),
    example={"h": 0.95, "beta_1": -3.0, "beta_2": 0.8, "beta_3": -0.5, "alpha": 0.3},
    protocol="Components from a PCA of benchmark scores with missing cells imputed; then a "
    "non-linear regression on models below a compute cut-off.",
    notes="The error is normalised to 1 at chance. The components come from "
    "lawfit.reduction.principal_components, which adds S_1, S_2 and S_3 to a table of benchmarks.",
)

OBSERVATIONAL_FAMILY = Law(
    "h / (1 + exp(-(w[family] * log(C) + b[family])))",
    [
        Parameter("h", bounds=(0.8, 1.0), start=(0.8, 1.0), description="error at low compute"),
        Parameter("w", start=(-1.5, 0.0), description="slope of the family in log compute"),
        Parameter("b", start=(0.0, 80.0), description="offset of the family"),
    ],
    [_C, Variable("family", "", "model family", levels=("Llama-2", "Pythia", "Qwen1.5"))],
    name="observational-by-family",
    target="error",
    source=Source(_OBSERVATIONAL, "2405.10938", "eq. 4, 6 and 7", 2024),
    example={
        "h": 1.0,
        "w[Llama-2]": -0.4,
        "b[Llama-2]": 20.0,
        "w[Pythia]": -0.3,
        "b[Pythia]": 15.0,
        "w[Qwen1.5]": -0.45,
        "b[Qwen1.5]": 22.0,
    },
    protocol="Linear regression of the capability on log compute within each family.",
    notes="log C expressed in one family's line gives that family's equivalent FLOPs. "
    "Coefficients of the example are ours.",
)

_SLOTH = "Sloth: scaling laws for LLM skills to predict multi-benchmark performance across families"
_SLOTH_SIZES = (
    Variable("s", "1e9 parameters", "model parameters", span=(0.1, 70.0)),
    Variable("t", "1e12 tokens", "training tokens", span=(0.1, 15.0)),
)

SLOTH_BENCHMARK = Law(
    "c + (1 - c) * sigmoid(alpha + beta_s * log(s) + beta_t * log(t) + beta_st * log(s) * log(t))",
    [
        Parameter("c", bounds=(0.0, 1.0), start=(0.0, 0.4), description="accuracy of guessing"),
        Parameter("alpha", start=(-3.0, 3.0), description="efficiency of the family, and offset"),
        Parameter("beta_s", start=(-0.5, 1.5), description="log size"),
        Parameter("beta_t", start=(-0.5, 1.5), description="log tokens"),
        Parameter("beta_st", start=(-0.3, 0.3), description="interaction"),
    ],
    _SLOTH_SIZES,
    name="sloth-benchmark",
    target="accuracy",
    source=Source(_SLOTH, "2412.06540", "eq. 3.1 and 3.2 for one family and benchmark", 2024),
    example={"c": 0.25, "alpha": -1.0, "beta_s": 0.4, "beta_t": 0.5, "beta_st": 0.03},
    protocol="As sloth-1; c fixed at chance or fitted.",
    notes="One benchmark and one family, where loadings and skills are one. The slopes are shared "
    "by families in the source, which usually train all sizes on one number of tokens: beta_t is "
    "not identified within such a family.",
)


def sloth(skills: int = 1) -> Law:
    """Return the law of skills for several benchmarks and families.

    An invertible map of the skills, and a shift of them with one of the offsets, change nothing.
    Fix the loadings of as many benchmarks as there are skills, and the efficiencies of one family.

    Parameters
    ----------
    skills : int
        Number of latent skills; no more than there are benchmarks.

    Raises
    ------
    InputError
        If the number is below 1.
    """
    if skills < 1:
        raise InputError(f"a law cannot have {skills} skills; give 1 or more")
    theta = " + ".join(
        f"Lambda_{k}[benchmark] * (alpha_{k}[family]"
        f" + beta_s{k} * log(s) + beta_t{k} * log(t) + beta_st{k} * log(s) * log(t))"
        for k in range(1, skills + 1)
    )
    parameters = [
        Parameter("c", bounds=(0.0, 1.0), start=(0.0, 0.3), description="accuracy of guessing"),
        Parameter("b", start=(-5.0, 5.0), description="offset of the benchmark"),
    ]
    for k in range(1, skills + 1):
        parameters += [
            Parameter(f"Lambda_{k}", start=(0.2, 2.0), description=f"loading on skill {k}"),
            Parameter(f"alpha_{k}", start=(-2.0, 2.0), description=f"efficiency in skill {k}"),
            Parameter(f"beta_s{k}", start=(-1.0, 1.0), description=f"log size, skill {k}"),
            Parameter(f"beta_t{k}", start=(-1.0, 1.0), description=f"log tokens, skill {k}"),
            Parameter(f"beta_st{k}", start=(-0.2, 0.2), description=f"interaction, skill {k}"),
        ]
    benchmarks = {"MMLU": (0.25, -1.0), "GSM8K": (0.0, -3.0), "HellaSwag": (0.25, 0.5)}
    families = {"Llama-2": 0.0, "Pythia": -0.6, "Qwen1.5": 0.4}
    example: dict[str, float] = {}
    for j, (benchmark, (floor, offset)) in enumerate(benchmarks.items()):
        example |= {f"c[{benchmark}]": floor, f"b[{benchmark}]": offset}
        for k in range(1, skills + 1):
            example[f"Lambda_{k}[{benchmark}]"] = 1.2 if (j + 1 - k) % 3 == 0 else 0.4
    for k in range(1, skills + 1):
        example |= {f"alpha_{k}[{family}]": shift / k for family, shift in families.items()}
        example |= {f"beta_s{k}": 0.4 / k, f"beta_t{k}": 0.5 / k, f"beta_st{k}": 0.03}
    return Law(
        f"c[benchmark] + (1 - c[benchmark]) * sigmoid({theta} + b[benchmark])",
        parameters,
        [
            *_SLOTH_SIZES,
            Variable("benchmark", "", "benchmark", levels=tuple(benchmarks)),
            Variable("family", "", "model family", levels=tuple(families)),
        ],
        name=f"sloth-{skills}",
        target="accuracy",
        source=Source(_SLOTH, "2412.06540", "eq. 3.1 and 3.2", 2024),
        example=example,
        protocol="Huber loss by Adam with several learning rates; c fixed at chance or fitted; a "
        "rotation of the skills afterwards; one family left out in turn.",
        notes="Identified up to an invertible map of the skills and a shift: fix the loadings of "
        "as many benchmarks as there are skills, the alphas of one family, and better c too. "
        "Instruction-tuned models count as families of their own. The source's best number of "
        "skills is 3. The example is ours.",
    )


SLOTH = tuple(sloth(skills) for skills in (1, 3))


# --- emergence -------------------------------------------------------------------------------

PASS_UNTIL = Law(
    "exp(-c * N**-alpha)",
    [
        Parameter("c", "log", start=(10.0, 1e6), description="scale"),
        Parameter("alpha", bounds=(0.0, 3.0), start=(0.05, 0.8), description="exponent"),
    ],
    [Variable("N", "parameters", "model parameters", span=(3e7, 2.4e9))],
    name="pass-until",
    target="pass_probability",
    source=Source(
        "Unlock Predictable Scaling from Emergent Abilities", "2310.03262", "task law", 2023
    ),
    example={"c": 2000.0, "alpha": 0.3},
    protocol="The probability is r / K, K samples until r pass; a line in log(-log) of it.",
    notes="Later versions are called Predicting Emergent Abilities with Infinite Resolution "
    "Evaluation. The estimator was seen quoted; the form was not. Tasks that emerge faster than "
    "this law bend away from it.",
    verified=False,
)

NEGATION = Law(
    "(a + b * log(x)) / (1 + exp(-k * (log(x) - m)))"
    " + (1 - (a + b * log(x))) * (1 - 1 / (1 + exp(-k * (log(x) - m))))",
    [
        Parameter("a", start=(-0.6, 0.4), description="first task, accuracy at x = 1"),
        Parameter("b", bounds=(0.0, 1.0), start=(0.01, 0.08), description="first task, slope"),
        Parameter("k", bounds=(0.0, 50.0), start=(0.3, 4.0), description="second task, steepness"),
        Parameter("m", start=(18.0, 27.0), description="second task, log x at one half"),
    ],
    [Variable("x", "parameters", "scale of the model", span=(1e8, 3e11))],
    name="negation-composition",
    target="accuracy",
    source=Source(
        "Beyond Positive Scaling: How Negation Impacts Scaling Trends of Language Models",
        "2305.17311",
        "section 4, decomposition",
        2023,
    ),
    example={"a": -0.237, "b": 0.04, "k": 1.0, "m": 23.5},
    protocol="Curves of the two tasks are drawn, not fitted.",
    notes="Question answering improves linearly in log scale, understanding of negation as a "
    "sigmoid; both right or both wrong gives the answer. Inverse, U-shaped or positive. a, b, k, m "
    "and their mirror (both tasks inverted) predict the same; bounds choose. Decomposition as in "
    "the abstract; the closed form was not seen in a second source.",
    verified=False,
)

# --- density ---------------------------------------------------------------------------------

_DENSING = "Densing Law of LLMs"

DENSING_LOSS = Law(
    "a * N**-alpha + b * D**-beta",
    [
        Parameter("a", "log", start=(1.0, 1e4), description="scale, parameters"),
        Parameter("alpha", start=(0.02, 0.6), description="exponent of N"),
        Parameter("b", "log", start=(1.0, 1e5), description="scale, data"),
        Parameter("beta", start=(0.02, 0.6), description="exponent of D"),
    ],
    [
        Variable("N", "parameters", "parameters of the reference models", span=(5e6, 8e8)),
        Variable("D", "tokens", "training tokens, 10 to 60 per parameter", span=(5e7, 4.8e10)),
    ],
    name="densing-loss",
    source=Source(_DENSING, "2412.04315", "step 1, loss estimation", 2024),
    example={"a": 20.0, "alpha": 0.15, "b": 60.0, "beta": 0.2},
    protocol="Fitted to small reference models; loss of the correct answer given the question.",
    notes="No irreducible term. D is 10 to 60 times N in the source, so its N and D are nearly "
    "collinear.",
)

DENSING_SCORE = Law(
    "c / (1 + exp(-gamma * (L - l))) + d",
    [
        Parameter("c", bounds=(0.0, 1.0), start=(0.3, 1.0), description="height of the step"),
        Parameter("gamma", bounds=(-100.0, 0.0), start=(-12.0, -1.0), description="steepness"),
        Parameter("l", start=(0.4, 1.5), description="loss at half height"),
        Parameter("d", start=(0.0, 0.4), description="score of guessing"),
    ],
    [Variable("L", "nats per token", "conditional loss of the correct answer", span=(0.3, 2.0))],
    name="densing-score",
    target="score",
    source=Source(_DENSING, "2412.04315", "step 2, performance estimation", 2024),
    example={"c": 0.7, "gamma": -5.0, "l": 0.9, "d": 0.25},
    protocol="Fitted on open models; inverted at D = 10**12 tokens to get the effective size.",
    notes="gamma is below 0: the score falls with the loss.",
)

DENSING_TREND = Law(
    "A * t + B",
    [
        Parameter("A", start=(0.0, 0.02), description="growth, 1 per day"),
        Parameter("B", start=(-3.0, 2.0), description="log density at t = 0"),
    ],
    [Variable("t", "days", "release date of the record model", span=(0.0, 640.0))],
    name="densing-trend",
    target="log_density",
    source=Source(_DENSING, "2412.04315", "densing law, ln(rho_max) = A t + B", 2024),
    example={"A": 0.007, "B": -2.0},
    protocol="Ordinary least squares on the running maximum; residual='linear'.",
    notes="Published: A about 0.007 per day (doubling in log(2) / A, 3.3 months; 3.5 months in the "
    "journal version) with R2 0.93; 0.0048 before and 0.0073 after November 2022. B is not quoted. "
    "The reference is held at 10**12 tokens, so over-training counts as density.",
)

_SIZES = "gamma * n * (10 / d + 20 / h)"
_U = f"exp(-({_SIZES})**2)"
PERFORMANCE = Law(
    f"w_1 * log({_U} * n) + w_2 * log({_U} * h) + w_3 * log({_U} * d)"
    f" + w_4 * log({_U} * min(T, S / 1e9)) + b",
    [
        Parameter("w_1", start=(0.0, 25.0), description="points per log layer"),
        Parameter("w_2", start=(-5.0, 5.0), description="points per log hidden size"),
        Parameter("w_3", start=(-5.0, 5.0), description="points per log feed-forward size"),
        Parameter("w_4", start=(0.0, 15.0), description="points per log tokens"),
        Parameter("b", start=(-40.0, 40.0), description="offset, points"),
    ],
    [
        Variable("n", "", "layers", span=(16.0, 80.0)),
        Variable("h", "", "hidden size", span=(3072.0, 16384.0)),
        Variable("d", "", "feed-forward size", span=(8192.0, 65536.0)),
        Variable("T", "1e12 tokens", "training tokens", span=(0.3, 18.0)),
        Variable("S", "parameters", "model parameters", span=(5e8, 4e11)),
        Variable("gamma", "", "instability factor of the training precision", levels=(1.0,)),
    ],
    name="performance-law",
    target="mmlu",
    source=Source("Performance Law of Large Language Models", "2408.09895", "dense models", 2024),
    published=[
        Published(
            "wu2024",
            {"w_1": 13.950, "w_2": 0.2307, "w_3": -0.4852, "w_4": 5.398, "b": 9.195},
            "the authors' repository",
            "tokens in 10**12, S in parameters, MMLU in percent",
            "w_3 is below 0",
        )
    ],
    protocol="Linear regression on some 10 to 20 public models.",
    notes="Linear in the weights given the discount. The source clips predictions to 25..100, "
    "which is left out. With gamma = 1 it gives 65 for Llama-3-8B and 81 for Llama-3-70B, but "
    "58 for Llama-2-7B, which has 45. In real designs n, h and d are collinear. Models of 128 "
    "layers and width 1000 get predictions below zero.",
)

LAWS: tuple[Law, ...] = (
    LADDER_LOSS,
    LADDER_LOSS_FLOPS,
    LADDER_ACCURACY,
    LADDER_ACCURACY_LOG,
    LADDER_SINGLE,
    OBSERVATIONAL,
    OBSERVATIONAL_FAMILY,
    SLOTH_BENCHMARK,
    *SLOTH,
    PASS_UNTIL,
    NEGATION,
    DENSING_LOSS,
    DENSING_SCORE,
    DENSING_TREND,
    PERFORMANCE,
)
