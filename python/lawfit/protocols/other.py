"""Recipes for laws that are no sum of power terms: frontiers, links, mixtures, sparsity, bits."""

from __future__ import annotations

import math

from ..law import Source
from ..losses import Huber, Squared
from ..starts import Grid
from .recipe import Optimiser, Protocol

__all__ = ["PROTOCOLS"]

_LINE = Optimiser("Linear regression in logarithms")
_CURVE_FIT = Optimiser(
    "SciPy's curve_fit (Levenberg-Marquardt, finite differences), default tolerances", "lm"
)
_CURVE_FIT_BOUNDED = Optimiser(
    "SciPy's curve_fit with bounds (trust region, finite differences), default tolerances", "trf"
)
_DIFFERENCES = Optimiser(
    "SciPy's L-BFGS-B with finite differences and default tolerances", "L-BFGS-B"
)

_PORIAN = "Resolving Discrepancies in Compute-Optimal Scaling of Language Models"
_STEP = (
    "Predictable Scale: Part I, Step Law -- Optimal Hyperparameter Scaling Law in Large Language "
    "Model Pretraining"
)
_MIXING = Source(
    "Data Mixing Laws: Optimizing Data Mixtures by Predicting Language Modeling Performance",
    "2403.16952",
    "the authors' repository",
    2024,
)
_TORCH_LBFGS = Optimiser("PyTorch's L-BFGS in single precision: rate 0.01, up to 100 outer steps")

PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        "porian2024",
        "porian-optimal-parameters",
        Source(_PORIAN, "2406.19146", "section 2; the authors' repository", 2024),
        "log",
        Squared(),
        "auto",
        _LINE,
        rows="The best N of each of 12 budgets, which `lawfit.isoflop` finds: Akima interpolation "
        "of log loss in log N, minima at the edge dropped.",
        aggregation="1,000 draws of noise per budget, whose median and spread (at least a third of "
        "the distance between sizes) are value and weight; sigma='N_se'.",
        flaws=(
            "in the weighted fit of the loss, squared standard deviations are given to curve_fit "
            "upside down, so that noisy points count more",
        ),
    ),
    Protocol(
        "porian2024-loss",
        "porian-loss",
        Source(_PORIAN, "2406.19146", "the authors' repository", 2024),
        "log",
        Squared(),
        Grid(
            a=[0.0, 5.0, 10.0, 15.0, 20.0, 25.0],
            alpha=[0.0, 0.1, 0.2, 0.3],
            e=[-1.0, -0.5, 0.0, 0.5, 1.0],
        ),
        Optimiser(
            "SciPy's curve_fit (trust region, finite differences), ftol = xtol = 1e-6, at most "
            "100 evaluations",
            "trf",
            options={"ftol": 1e-6, "xtol": 1e-6, "max_nfev": 100},
        ),
        aggregation="200 draws of noise.",
        flaws=("the start is chosen by Huber's loss, which is not what was minimised",),
        note="120 starts.",
    ),
    Protocol(
        "bhagia2024-accuracy",
        "ladder-accuracy",
        Source(
            "Establishing Task Scaling Laws via Compute-Efficient Model Ladders",
            "2412.04403",
            "step 2; the authors' repository",
            2024,
        ),
        "linear",
        Squared(),
        {"a": -0.75, "L_0": 0.9, "k": 3.0, "b": 1.0},
        _CURVE_FIT_BOUNDED,
        bounds={"k": (0.0, math.inf), "L_0": (0.0, math.inf)},
        rows="All checkpoints but the first tenth, losses averaged over five; and one point that "
        "was not measured, accuracy 1 at loss 0.",
        note="a starts at chance minus 1; seven more starts are tried where curve_fit warns.",
    ),
    Protocol(
        "polo2024",
        "sloth-benchmark",
        Source(
            "Sloth: scaling laws for LLM skills to predict multi-benchmark performance across "
            "families",
            "2412.06540",
            "the authors' repository",
            2024,
        ),
        "linear",
        Huber(0.01),
        "auto",
        Optimiser(
            "Adam at rates 0.1, 0.01 and 0.001 in turn, at most 100,000 epochs", reduction="mean"
        ),
        flaws=("one random start",),
        note="Their smooth L1 loss is Huber's, divided by delta.",
    ),
    Protocol(
        "li2025-learning-rate",
        "step-law-learning-rate",
        Source(_STEP, "2503.04715", "eq. 1; the authors' repository", 2025),
        "log",
        Squared(),
        "auto",
        _LINE,
        rows="All runs within 0.25 % of the least smoothed loss of their N and D.",
        aggregation="1,000 resamples.",
    ),
    Protocol(
        "li2025-batch",
        "step-law-batch",
        Source(_STEP, "2503.04715", "eq. 1; the authors' repository", 2025),
        "log",
        Squared(),
        "auto",
        _LINE,
        rows="As li2025-learning-rate.",
        aggregation="1,000 resamples.",
    ),
    Protocol(
        "zhang2024",
        "critical-batch-time-data",
        Source(
            "How Does Critical Batch Size Scale in Pre-training?",
            "2410.21676",
            "section 3; the authors' notebook",
            2024,
        ),
        "log",
        Squared(),
        "auto",
        Optimiser("Not recorded"),
        rows="Steps to a target loss at nine batch sizes, the best of a sweep, per model.",
        aggregation="The critical batch of a model is the one that needs 20 % more tokens than a "
        "batch of 256, 307 + 0.2 B_crit of this law; then a line in logarithms over models.",
        flaws=(
            "the paper words the definition more widely; others that fit the words give exponents "
            "of 0.30 to 0.62 on the same table",
        ),
        note="Found by what reproduces the printed 93.197 and 0.4683.",
    ),
    Protocol(
        "caballero2022",
        "1 + a + b * x**-c0 * (1 + (x / d1)**(1 / f1))**(-c1 * f1)",
        Source("Broken Neural Scaling Laws", "2210.14891", "the authors' repository", 2022),
        "log",
        Squared(),
        "auto",
        Optimiser(
            "A grid of 163,840 evaluations, then SciPy's curve_fit from the best",
            "lm",
            options={"max_nfev": 100_000},
        ),
        note="The target is the error plus 1: squares of log(1 + error).",
    ),
    Protocol(
        "ruan2024",
        "observational-metric",
        Source(
            "Observational Scaling Laws and the Predictability of Language Model Performance",
            "2405.10938",
            "the authors' repository",
            2024,
        ),
        "linear",
        Squared(),
        {"h": 1.0, "beta_1": 0.0, "beta_2": 0.0, "beta_3": 0.0, "alpha": 0.0},
        Optimiser(
            "SciPy's curve_fit, 10,000 evaluations; or BFGS with finite differences",
            "trf",
            options={"max_nfev": 10_000},
        ),
        rows="Principal components of benchmarks, missing cells filled in.",
        flaws=("one start",),
    ),
    Protocol(
        "chen2025",
        "parallel-streams",
        Source(
            "Parallel Scaling Law for Language Models",
            "2505.10475",
            "the authors' repository",
            2025,
        ),
        "log",
        Huber(1e-3),
        "auto",
        _DIFFERENCES,
        note="300 starts, of which only the counts (3, 5, 5 and 4) are recorded; all coefficients "
        "at least 1e-8.",
    ),
    Protocol(
        "ye2024",
        "data-mixing-3",
        _MIXING,
        "linear",
        Huber(0.01),
        "auto",
        _TORCH_LBFGS,
        aggregation="The last points are held out and the step of least error there is kept.",
        flaws=(
            "single precision, a fixed number of small steps",
            "on shares that sum to 1, k and all t are not identified together",
        ),
        note="100 to 400 starts around values that the user gives.",
    ),
    Protocol(
        "ye2024-two-domains",
        "data-mixing-2",
        _MIXING,
        "linear",
        Huber(0.02),
        Grid(
            c=[0.5, 1.0, 2.0],
            k=[math.exp(-1.0 + 0.09 * i) for i in range(11)],
            t_1=[-2.4 + 0.08 * i for i in range(11)],
        ),
        _TORCH_LBFGS,
        fixed={"t_2": 0.0},
        rows="Five mixtures of two domains at one step.",
        flaws=("c is not fitted: it is the value of a grid that makes log(loss - c) straightest",),
        note="121 starts in log k and t_1; c is fitted here.",
    ),
    Protocol(
        "clark2022",
        "routed",
        Source(
            "Unified Scaling Laws for Routed Language Models",
            "2202.01169",
            "section 4; the authors' repository",
            2022,
        ),
        "log",
        Squared(),
        "auto",
        Optimiser("SciPy's L-BFGS-B with gradient", "L-BFGS-B", "analytic"),
        rows="Final loss of the runs with one router, one active expert and every second layer "
        "routed, and of the dense ones.",
        flaws=("ten starts drawn without a seed; in half of them E_max lies below E_start",),
        note="They take logarithms to base 10, which only scales the objective.",
    ),
    Protocol(
        "panferov2025",
        "effective-parameters-by-format",
        Source(
            "QuEST: Stable Training of LLMs with 1-Bit Weights and Activations",
            "2502.05003",
            "the authors' repository",
            2025,
        ),
        "log",
        Squared(),
        "auto",
        Optimiser(
            "SciPy's least_squares (trust region, finite differences), residuals times 0.001",
            "trf",
            keep="last",
            residual_scale=1e-3,
            huber=1.0,
        ),
        rows="104 runs; eff of 16 bits is 1.",
        flaws=(
            "the residuals are multiplied by the delta meant for Huber's loss, whose threshold "
            "stays 1: it never acts, the fit is least squares",
            "the last of 1,125 starts is kept, not the best",
        ),
        note="Hold eff of the unquantized format: fixed={'eff[bf16]': 1}.",
    ),
    Protocol(
        "marin",
        "a + b * log10(D) + c * log10(D)**2",
        Source("marin, IsoFLOP analysis", "", "the project's repository", 2025),
        "linear",
        Huber(1.0),
        "auto",
        Optimiser("BFGS of SciPy with gradient, from polyfit", "BFGS", "analytic"),
        rows="The runs of one budget, FLOP rounded to one significant figure.",
        flaws=(
            "delta is far above any residual: least squares",
            "a parabola is biased where the two exponents differ",
        ),
        note="lawfit.isoflop fits all budgets and says how far the parabola is off.",
    ),
)
