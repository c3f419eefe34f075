"""Laws of loss and of the best allocation against one budget: compute, accelerator-hours."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

_PF_DAYS = "PF-days"
_FORM_ONLY = (
    "Form from general knowledge of the paper, coefficients not found: the example is ours."
)

_FALLING = [
    Parameter("A", "log", start=(0.1, 1e4), description="loss at one unit of the budget"),
    Parameter("alpha", start=(0.01, 0.5), description="exponent"),
]
_RATIO = [
    Parameter("C_c", "log", start=(1e18, 1e40), description="FLOP at which the loss would be 1"),
    Parameter("alpha", start=(0.01, 0.3), description="exponent"),
]
_RATIO_PF_DAYS = [
    Parameter("C_c", "log", start=(1e4, 1e12), description="PF-days at which the loss would be 1"),
    Parameter("alpha_C", start=(0.01, 0.3), description="exponent"),
]

# --- IsoFLOP experiments --------------------------------------------------------------------------

_PORIAN = "Resolving Discrepancies in Compute-Optimal Scaling of Language Models"
_PORIAN_C = Variable("C", "FLOP", "training compute", span=(1.25e16, 2.56e19))
_PORIAN_FIT = (
    "IsoFLOP budgets 1.25e16 * 2**i; Akima interpolation of log loss in log N; 1,000 draws of "
    "noise per budget; optima at the edge dropped; straight line in logarithms weighted by the "
    "inverse variance."
)
# Exponent, and optimal size at Chinchilla's budget of 5.88e23 FLOP, as each cause is corrected.
_PORIAN_SETS = {
    "kaplan": (0.835, 3e12, "Kaplan's set-up reproduced; last layer's FLOP not counted"),
    "last-layer": (0.706, 787e9, "and the last layer's FLOP counted"),
    "warmup": (0.602, 292e9, "and a warm-up that scales with the model"),
    "decay": (0.571, 183e9, "and a cosine decay matched to the budget"),
    "tuned": (0.497, 77e9, "and rate, batch and beta_2 tuned for each size; no decay"),
}

PORIAN_SIZE = Law(
    "N_0 * C**a",
    [
        Parameter("N_0", "log", start=(1e-12, 1e6), description="parameters at one FLOP"),
        Parameter("a", start=(0.0, 1.0), description="exponent in compute"),
    ],
    [_PORIAN_C],
    name="porian-optimal-parameters",
    target="N_opt",
    source=Source(_PORIAN, "2406.19146", "section 2 and figure 1", 2024),
    published=[
        Published(
            f"porian2024-{name}",
            {"N_0": n / 5.88e23**a, "a": a},
            "section 3, RefinedWeb",
            "C in FLOP, N in parameters",
            f"{note}. N_0 follows from the rounded optimal size at 5.88e23 FLOP",
        )
        for name, (a, n, note) in _PORIAN_SETS.items()
    ],
    protocol=_PORIAN_FIT,
    notes="95 % intervals of a: .82-.85, .69-.72, .59-.62, .56-.59, .49-.50.",
)

PORIAN_LOSS = Law(
    "exp(logaddexp(a - alpha * log(C), e))",
    [
        Parameter("a", start=(0.0, 10.0), description="logarithm of the scale, nats per token"),
        Parameter("alpha", start=(0.01, 0.5), description="exponent in compute"),
        Parameter("e", start=(-1.0, 1.0), description="logarithm of the irreducible loss"),
    ],
    [_PORIAN_C],
    name="porian-loss",
    source=Source(_PORIAN, "2406.19146", "appendix, loss at the optimum; analysis.py", 2024),
    example={"a": 4.69, "alpha": 0.096, "e": 0.47},
    protocol="Least squares on log loss by a trust-region method from 4 * 5 * 6 starts, the best "
    "by Huber(1e-3).",
    notes="A / C**alpha + E with A = exp(a), E = exp(e). Form read in the authors' code; no "
    "coefficients are printed there. Over 3 decades of compute e and alpha trade off.",
    verified=False,
)

# --- one line per group ---------------------------------------------------------------------------

MUON = Law(
    "A * C**-alpha",
    _FALLING,
    [Variable("C", _PF_DAYS, "training compute", span=(0.2, 5.0))],
    name="muon",
    source=Source("Muon is Scalable for LLM Training", "2502.16982", "section 3.2, table 3", 2025),
    published=[
        Published(
            name,
            {"A": a, "alpha": alpha},
            "table 3",
            "C in PFLOP/s-days (8.64e19 FLOP), loss in nats per token at 8,192 tokens of context",
            "the unit is inferred: it gives the losses of the source's runs, and FLOP would not",
        )
        for name, a, alpha in (("muon", 2.506, 0.052), ("adamw", 2.608, 0.054))
    ],
    protocol="Straight lines in logarithms through five compute-optimal runs, 399M to 1.5B "
    "parameters, per optimizer.",
    notes="Used for the ratio of compute at equal loss, 0.52 for Muon against AdamW. The lines are "
    "nearly parallel, so the ratio rests on the scales.",
)

_LINEAR = Source(
    "Scaling Laws for Linear Complexity Language Models",
    "2406.16690",
    "section 4, L(C) and N_opt(C)",
    2024,
)
_LINEAR_SETS = {
    "llama": (3.7087, 0.0798, 1.82e8, 0.7118),
    "tnl": (3.5391, 0.0768, 2.74e8, 0.6470),
    "hgrn2": (3.4788, 0.0753, 2.66e8, 0.6427),
    "cosformer2": (3.5877, 0.0756, 2.65e8, 0.6516),
}
_LINEAR_UNITS = (
    "C in PFLOP/s-days, inferred: a 7B model on 300B tokens is then near N_opt of its budget"
)
_LINEAR_NOTES = (
    "Coefficients read in a survey that quotes the paper's table; the unit of C is inferred."
)
_LINEAR_FIT = "Lines in logarithms along the envelope of 1,376 checkpoints, 70M to 7B parameters."

LINEAR_LOSS = Law(
    "A * C**-alpha",
    _FALLING,
    [Variable("C", _PF_DAYS, "training compute", span=(0.1, 150.0))],
    name="linear-complexity-loss",
    source=_LINEAR,
    published=[
        Published(name, {"A": a, "alpha": alpha}, "table of scaling laws", _LINEAR_UNITS)
        for name, (a, alpha, _, _) in _LINEAR_SETS.items()
    ],
    protocol=_LINEAR_FIT,
    notes=_LINEAR_NOTES,
)

LINEAR_SIZE = Law(
    "N_0 * C**a",
    [
        Parameter("N_0", "log", start=(1e6, 1e11), description="parameters at one PF-day"),
        Parameter("a", start=(0.0, 1.0), description="exponent in compute"),
    ],
    [Variable("C", _PF_DAYS, "training compute", span=(0.1, 150.0))],
    name="linear-complexity-optimal-parameters",
    target="N_opt",
    source=_LINEAR,
    published=[
        Published(name, {"N_0": n, "a": a}, "table of scaling laws", _LINEAR_UNITS)
        for name, (_, _, n, a) in _LINEAR_SETS.items()
    ],
    protocol=_LINEAR_FIT,
    notes=_LINEAR_NOTES,
)

MORE_COMPUTE = Law(
    "a - b * log(C)",
    [
        Parameter("a", start=(0.5, 10.0), description="bits per character at one FLOP"),
        Parameter("b", start=(0.0, 0.2), description="fall per e-fold of compute"),
    ],
    [Variable("C", "FLOP", "training compute", span=(1e21, 1e25))],
    name="more-compute",
    target="bits_per_character",
    source=Source("More Compute Is What You Need", "2404.19484", "unified scaling law", 2024),
    example={"a": 2.1, "b": 0.026},
    protocol="A line through published models of many families.",
    notes="The claim is that loss depends on C = 6 N D alone, whatever its split: a test of nested "
    "models against a law of N and D. " + _FORM_ONLY,
    verified=False,
)

BACKPROPAGATION = Law(
    "(C_c / C)**alpha",
    _RATIO,
    [Variable("C", "FLOP", "training compute", span=(1e15, 1e20))],
    name="beyond-backpropagation",
    source=Source("Scaling Laws Beyond Backpropagation", "2210.14593", "L(C) per method", 2022),
    example={"C_c": 1e28, "alpha": 0.055},
    protocol="A line in logarithms along the compute frontier, per training method.",
    notes="Two fits, backpropagation and direct feedback alignment, and whether they ever cross. "
    + _FORM_ONLY,
    verified=False,
)

TRAINABLE = Law(
    "(C_c / C)**alpha",
    _RATIO,
    [Variable("C", "FLOP", "training compute of the trainable parameters", span=(1e15, 1e20))],
    name="trainable-parameters",
    source=Source(
        "Is the Number of Trainable Parameters All That Actually Matters?",
        "2109.11928",
        "L(C) with frozen layers",
        2021,
    ),
    example={"C_c": 1e28, "alpha": 0.055},
    protocol="Lines in logarithms along compute frontiers.",
    notes="The question is which count of parameters, all or trainable, makes the curves collapse. "
    + _FORM_ONLY
    + " The arXiv number was not found in a second source.",
    verified=False,
)

LANGUINI = Law(
    "A * H**-alpha",
    [
        Parameter("A", "log", start=(1.0, 1e4), description="perplexity at one accelerator-hour"),
        Parameter("alpha", start=(0.01, 0.5), description="exponent in hours"),
    ],
    [Variable("H", "hours", "accelerator-hours of one class of device", span=(6.0, 800.0))],
    name="languini",
    target="perplexity",
    source=Source(
        "The Languini Kitchen: Enabling Language Modelling Research at Different Scales of Compute",
        "2309.11197",
        "scaling of the baselines",
        2023,
    ),
    example={"A": 20.0, "alpha": 0.08},
    protocol="Lines in logarithms through classes of compute, per architecture.",
    notes="The source extrapolates where its recurrent and its attention model cross, at about "
    "50,000 hours. " + _FORM_ONLY,
    verified=False,
)

BLOOM = Law(
    "(C_c / C)**alpha_C",
    _RATIO_PF_DAYS,
    [Variable("C", _PF_DAYS, "training compute", span=(1e-2, 1e2))],
    name="million-gpu-hours",
    source=Source(
        "What Language Model to Train if You Have One Million GPU Hours?",
        "2210.15424",
        "scaling laws of the final section",
        2022,
    ),
    example={"C_c": 3.1e8, "alpha_C": 0.05},
    protocol="A line in logarithms along the compute frontier, after Kaplan et al.",
    notes="Used to size a run of 1,000,000 A100-hours: hours times achieved FLOP/s give C. "
    + _FORM_ONLY,
    verified=False,
)

PAGNOL = Law(
    "(C_c / C)**alpha_C",
    _RATIO_PF_DAYS,
    [Variable("C", _PF_DAYS, "training compute", span=(1e-4, 10.0))],
    name="pagnol",
    source=Source(
        "PAGnol: An Extra-Large French Generative Model", "2110.08554", "scaling laws, L(C)", 2021
    ),
    example={"C_c": 3.1e8, "alpha_C": 0.05},
    protocol="A line in logarithms along the compute frontier, French data.",
    notes="To be compared with the same fit on English data. " + _FORM_ONLY,
    verified=False,
)

_REDUCED = {
    "compute": Variable("C", "FLOP", "training compute", span=(1e15, 1e19)),
    "tokens": Variable("D", "tokens", "training tokens", span=(1e8, 2.2e10)),
    "parameters": Variable("N", "parameters", "model parameters", span=(1e6, 1.65e8)),
}
_REDUCED_EXAMPLES = {"compute": (40.0, 0.065), "tokens": (18.0, 0.08), "parameters": (9.0, 0.07)}

REDUCED = tuple(
    Law(
        f"A * {variable.name}**-alpha",
        _FALLING,
        [variable],
        name=f"reduced-scale-{axis}",
        source=Source(
            "Emergent Abilities in Reduced-Scale Generative Language Models",
            "2404.02204",
            f"power law in {axis}",
            2024,
        ),
        example=dict(zip(("A", "alpha"), _REDUCED_EXAMPLES[axis], strict=True)),
        protocol="A power law of the evaluation loss on each axis alone, 36 models of 1M to 165M "
        "parameters on simplified language.",
        notes="The abstract states the three power laws. " + _FORM_ONLY,
        verified=False,
    )
    for axis, variable in _REDUCED.items()
)

HONEY = Law(
    "b * C**-c_0 * (1 + (C / d_1)**(1 / f_1))**(-c_1 * f_1)",
    [
        Parameter("b", "log", start=(1.0, 1e3), description="loss at one FLOP"),
        Parameter("c_0", start=(0.0, 0.2), description="exponent below the break"),
        Parameter("c_1", start=(0.0, 0.4), description="change of exponent at the break"),
        Parameter("d_1", "log", start=(1e14, 1e17), description="place of the break, FLOP"),
        Parameter(
            "f_1", "log", bounds=(0.02, 5.0), start=(0.1, 2.0), description="width of the break"
        ),
    ],
    [Variable("C", "FLOP", "training compute", span=(1e13, 1e18))],
    name="honey-break",
    source=Source(
        "Honey, I Shrunk the Language: Language Model Behavior at Reduced Scale",
        "2305.17266",
        "compute frontier with a break at 2.2e15 FLOP",
        2023,
    ),
    example={"b": 12.0, "c_0": 0.02, "c_1": 0.08, "d_1": 2.2e15, "f_1": 0.3},
    protocol="A power law along the frontier above the break only; the break was read by eye.",
    notes="The source reports that a power law fails below 2.2e15 FLOP and gives no form there; "
    "this smooth break is Caballero et al.'s (2210.14891), so that its place gets an interval. "
    "Masked language models from 1.25M parameters. " + _FORM_ONLY,
    verified=False,
)

LOW_RANK = Law(
    "A * C**-alpha",
    _FALLING,
    [Variable("C", "FLOP", "training compute", span=(1e18, 1e21))],
    name="low-rank-training",
    source=Source(
        "Investigating Low-Rank Training in Transformer Language Models: Efficiency and Scaling "
        "Analysis",
        "2407.09835",
        "scaling curves per structure of the feed-forward layers",
        2024,
    ),
    example={"A": 26.0, "alpha": 0.05},
    protocol="Lines in logarithms of loss against FLOP, per structure; slopes compared.",
    notes="The claim is a steeper slope for structured layers. " + _FORM_ONLY,
    verified=False,
)

ARCHITECTURES = Law(
    "a + alpha * log(C)",
    [
        Parameter("a", start=(-100.0, 10.0), description="score at one FLOP"),
        Parameter("alpha", start=(-0.5, 1.5), description="slope per e-fold of compute"),
    ],
    [Variable("C", "FLOP", "FLOP per example, or parameters", span=(1e10, 1e14))],
    name="architecture-slopes",
    target="score",
    source=Source(
        "Scaling Laws vs Model Architectures: How does Inductive Bias Influence Scaling?",
        "2207.10551",
        "slopes alpha, table 2",
        2022,
    ),
    example={"a": -17.0, "alpha": 0.54},
    protocol="Linear regression per architecture, axis (FLOP or parameters) and metric.",
    notes="Slopes of upstream score on FLOP, read in a survey: Transformer .54, GLU .49, Evolved "
    ".44, Mixer .32, Performer .25, Switch .23, ALBERT .08. Intercepts, and whether the axes are "
    "decimal logarithms, were not found; the example's intercept is ours.",
    verified=False,
)

LAWS: tuple[Law, ...] = (
    PORIAN_SIZE,
    PORIAN_LOSS,
    MUON,
    LINEAR_LOSS,
    LINEAR_SIZE,
    MORE_COMPUTE,
    BACKPROPAGATION,
    TRAINABLE,
    LANGUINI,
    BLOOM,
    PAGNOL,
    *REDUCED,
    HONEY,
    LOW_RANK,
    ARCHITECTURES,
)
