"""Recipes for sums of power terms: Chinchilla's law and what it grew into."""

from __future__ import annotations

import math

from ..law import Source
from ..losses import Huber, Quantile, Squared
from ..starts import Grid
from .recipe import Optimiser, Protocol

__all__ = ["PROTOCOLS"]

_EXPONENTS = (0.0, 0.5, 1.0, 1.5, 2.0)
_LOG_IRREDUCIBLE = (-1.0, -0.5, 0.0, 0.5, 1.0)
_LOG_SCALES = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0)
_TINY = 1e-3  # where the authors start a positive coefficient at 0


def _exp(*logarithms: float) -> list[float]:
    return [math.exp(v) for v in logarithms]


def _even(low: float, high: float, count: int) -> list[float]:
    return [low + (high - low) * k / (count - 1) for k in range(count)]


_HOFFMANN_GRID = Grid(
    E=_exp(*_LOG_IRREDUCIBLE),
    A=_exp(*_LOG_SCALES),
    alpha=_EXPONENTS,
    B=_exp(*_LOG_SCALES),
    beta=_EXPONENTS,
)
_MISFITTING_GRID = Grid(
    E=_exp(*_LOG_IRREDUCIBLE[:-1]),
    A=_exp(*_LOG_SCALES[:-1]),
    alpha=_EXPONENTS[:-1],
    B=_exp(*_LOG_SCALES[:-1]),
    beta=_EXPONENTS[:-1],
)
_DIFFERENCES = Optimiser(
    "SciPy's L-BFGS-B with finite differences and default tolerances", "L-BFGS-B"
)
_CURVE_FIT = Optimiser(
    "SciPy's curve_fit (Levenberg-Marquardt, finite differences), default tolerances", "lm"
)

_HOFFMANN = Source(
    "Training Compute-Optimal Large Language Models", "2203.15556", "appendix D.2", 2022
)
_BESIROGLU = Source("Chinchilla Scaling: A replication attempt", "2404.10102", "section 3", 2024)
_MISFITTING = Source(
    "(Mis)Fitting: A Survey of Scaling Laws", "2502.18969", "the authors' repository", 2025
)
_GEMSTONES = Source(
    "Gemstones: A Model Suite for Multi-Faceted Scaling Laws",
    "2502.06857",
    "approach 3; the authors' repository",
    2025,
)
_MUENNIGHOFF = Source(
    "Scaling Data-Constrained Language Models",
    "2305.16264",
    "appendices A and B; the authors' notebook",
    2023,
)
_TORCH_LBFGS = Optimiser(
    "PyTorch's L-BFGS in single precision: rate 0.1, history 10, 20 iterations, strong Wolfe, 50 "
    "outer steps whatever happens"
)
# Coefficients of the base law to the digits of the authors' notebook.
_MUENNIGHOFF_BASE = {
    "A": math.exp(6.255414),
    "B": math.exp(7.3049974),
    "E": math.exp(0.6254804),
    "alpha": 0.3526596,
    "beta": 0.3526596,
}


def _gemstones(name: str, law: str, terms: tuple[tuple[str, str], ...], floor: str) -> Protocol:
    axes = {floor: _exp(*_LOG_IRREDUCIBLE)}
    for scale, exponent in terms:
        axes |= {scale: _exp(*_LOG_SCALES), exponent: list(_EXPONENTS)}
    grid = Grid(**axes)
    return Protocol(
        name,
        law,
        _GEMSTONES,
        "log",
        Huber(1e-4),
        grid,
        _DIFFERENCES,
        rows="Checkpoints every 10e9 tokens of 22 models at a constant rate, to 100e9 tokens; "
        "others of their fits take all, or those past 100e9.",
        flaws=()
        if len(terms) < 4
        else (
            "the printed coefficients are no minimum: 0.43 % above it on 220 checkpoints, "
            "0.056 % on 770, after 4,050,000 starts",
        ),
        note=f"{len(grid):,} starts; also run with Huber(1e-3). "
        + ("" if len(terms) == 2 else "Far more than are needed: give starts=100."),
    )


PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        "hoffmann2022",
        "chinchilla",
        _HOFFMANN,
        "log",
        Huber(1e-3),
        _HOFFMANN_GRID,
        Optimiser("L-BFGS with default tolerances", "L-BFGS-B", reduction="mean"),
        rows="More than 400 runs; 245 could be read off a figure.",
        aggregation="100 resamples of 80 % of the rows.",
        flaws=(
            "the loss was averaged over rows, not summed, so that the optimiser's absolute tests "
            "stopped it early: the printed coefficients are no minimum",
            "printed with so few digits that predictions are biased",
        ),
        note="4,500 starts, the sum of Huber(1e-3) on log loss. The authors ran L-BFGS and stopped "
        "early; lawfit runs its own solver to the optimum.",
    ),
    Protocol(
        "besiroglu2024",
        "chinchilla",
        _BESIROGLU,
        "log",
        Huber(1e-3),
        {
            "E": math.exp(0.5267228),
            "A": math.exp(6.0073404),
            "B": math.exp(6.0179186),
            "alpha": 0.33917084,
            "beta": 0.2849083,
        },
        Optimiser("SciPy's BFGS with gradients by automatic differentiation", "BFGS", "analytic"),
        scale="fitted",
        rows="240 points read off a figure of Hoffmann et al.: 245 less the five of highest loss; "
        "D = C / (6 N).",
        aggregation="Standard errors from 4,000 resamples of the plain Huber sum.",
        flaws=("BFGS reports a loss of precision at the end", "one start"),
        note="Likelihood of a Huber density with a fitted scale, from one start at the unrounded "
        "coefficients of Hoffmann et al. Its maximum is that of least absolute deviations. The "
        "authors' intervals come from a bootstrap of the plain Huber sum, besiroglu2024-sum.",
    ),
    Protocol(
        "besiroglu2024-sum",
        "chinchilla",
        _BESIROGLU,
        "log",
        Huber(1e-3),
        _HOFFMANN_GRID,
        _DIFFERENCES,
        rows="As besiroglu2024.",
        aggregation="4,000 resamples of the rows, each refitted by BFGS from one start at the "
        "unrounded coefficients of Hoffmann et al.",
        note="The same minimum as hoffmann2022 run to its end.",
    ),
    Protocol(
        "misfitting2025",
        "chinchilla",
        _MISFITTING,
        "log",
        Huber(1e-3),
        _MISFITTING_GRID,
        _DIFFERENCES,
        rows="Final checkpoints of 261 runs.",
        aggregation="The spread of the starts that converged, printed as standard errors.",
        flaws=(
            "1,600 starts where the text says 4,500: the ranges lack their end points",
            "the printed standard errors are not those of the coefficients",
        ),
    ),
    Protocol(
        "misfitting2025-tied",
        "chinchilla",
        _MISFITTING,
        "log",
        Huber(1e-3),
        _MISFITTING_GRID,
        _DIFFERENCES,
        tied=(("alpha", "beta"),),
        rows="Final checkpoints of 261 runs.",
        aggregation="As misfitting2025.",
    ),
    Protocol(
        "misfitting2025-kaplan",
        "kaplan",
        _MISFITTING,
        "log",
        Huber(1e-3),
        "auto",
        _DIFFERENCES,
        rows="Final checkpoints of 261 runs.",
        note="Which starts this form had is not recorded.",
    ),
    _gemstones("mcleish2025", "gemstones", (("A", "alpha"), ("B", "beta")), "E"),
    _gemstones(
        "mcleish2025-shape",
        "gemstones-shape",
        (("A", "alpha"), ("B", "beta"), ("D_c", "zeta")),
        "epsilon",
    ),
    _gemstones(
        "mcleish2025-shape-parameters",
        "gemstones-shape-parameters",
        (("A", "alpha"), ("B", "beta"), ("C", "gamma"), ("D_c", "zeta")),
        "epsilon",
    ),
    Protocol(
        "muennighoff2023-base",
        "chinchilla",
        _MUENNIGHOFF,
        "log",
        Huber(1e-3),
        Grid(
            E=_exp(*_even(-1.0, 1.0, 4)),
            A=_exp(*_even(0.0, 25.0, 5)),
            alpha=_even(0.0, 2.0, 4),
            B=_exp(*_even(0.0, 25.0, 5)),
            beta=_even(0.0, 2.0, 4),
        ),
        _TORCH_LBFGS,
        tied=(("alpha", "beta"),),
        rows="54 runs of one epoch on C4.",
        flaws=("single precision", "a fixed number of steps, no test that the optimum is reached"),
    ),
    Protocol(
        "muennighoff2023",
        "data-constrained",
        _MUENNIGHOFF,
        "log",
        Huber(1e-3),
        Grid(
            R_D_star=[_TINY, *_even(0.0, 20.0, 4)[1:]],
            R_N_star=[_TINY, *_even(0.0, 20.0, 4)[1:]],
        ),
        _TORCH_LBFGS,
        fixed=_MUENNIGHOFF_BASE,
        rows="182 runs; those that more epochs or parameters made worse are left out.",
        flaws=("the printed R_D*, R_N* are a local minimum; (95.4, 1.71) is lower",),
        note=f"The base law is held. Starts of 0 are {_TINY:g} here: the law divides by them.",
    ),
    Protocol(
        "gadre2024",
        "overtraining",
        Source(
            "Language models scale reliably with over-training and on downstream tasks",
            "2403.08540",
            "section 3; the authors' repository",
            2024,
        ),
        "linear",
        Squared(),
        Grid(
            E=[_TINY, 1.0, 2.0, 10.0],
            a=[100.0, 300.0, 1000.0, 3000.0],
            b=[100.0, 300.0, 1000.0, 3000.0],
            eta=[0.05, 0.15],
        ),
        Optimiser(
            "SciPy's curve_fit (Levenberg-Marquardt, finite differences), 10,000 evaluations",
            "lm",
            options={"max_nfev": 10_000},
        ),
        rows="Five small runs per data set: M = 20 at 11M, 79M, 154M and 412M parameters, and "
        "M = 320 at 11M.",
        note="Starts of E at 0 are 0.001 here. The authors' a is 6**-eta times this law's.",
    ),
    Protocol(
        "li2025",
        "chinchilla",
        Source(
            "Predictable Scale: Part I, Step Law -- Optimal Hyperparameter Scaling Law in Large "
            "Language Model Pretraining",
            "2503.04715",
            "the authors' repository",
            2025,
        ),
        "log",
        Huber(1e-3),
        "auto",
        Optimiser(
            "SciPy's BFGS with gradients of PyTorch in single precision",
            "BFGS",
            "analytic",
            "mean",
        ),
        aggregation="2,000 resamples of the rows; each coefficient is the mode of a kernel density "
        "of its draws.",
        flaws=(
            "single precision, and the mean of the loss under absolute stopping tests",
            "the modes of single coefficients together are no minimum of anything",
        ),
        note="Their grid of starts is not released.",
    ),
    Protocol(
        "beck2025",
        "chinchilla",
        Source(
            "xLSTM Scaling Laws: Competitive Performance with Linear Time-Complexity",
            "2510.02228",
            "the authors' repository",
            2025,
        ),
        "log",
        Huber(1e-3),
        Grid(
            E=_exp(*_LOG_IRREDUCIBLE),
            A=_exp(0.0, 5.0, 10.0, 15.0, 20.0),
            alpha=[0.0, 0.2, 0.5, 1.0],
            B=_exp(0.0, 5.0, 10.0, 15.0, 20.0),
            beta=[0.0, 0.2, 0.5, 1.0],
        ),
        Optimiser(
            "SciPy's L-BFGS-B with finite differences, ftol = gtol = 1e-32, 200 line-search steps",
            "L-BFGS-B",
            options={"ftol": 1e-32, "gtol": 1e-32, "maxls": 200},
        ),
        note="2,000 starts; delta from 1e-5 to 5 is tried as well.",
    ),
    Protocol(
        "brandfonbrener2024",
        "chinchilla",
        Source(
            "Loss-to-Loss Prediction: Scaling Laws for All Datasets",
            "2411.12925",
            "the authors' notebook",
            2024,
        ),
        "log",
        Huber(1e-3),
        Grid(
            E=_exp(0.5),
            A=_exp(5.0, 10.0, 15.0, 20.0),
            alpha=[0.4],
            B=_exp(5.0, 10.0, 15.0, 20.0),
            beta=[0.4],
        ),
        Optimiser("optax's L-BFGS over all starts at once, 200 steps, single precision"),
        flaws=(
            "single precision, a fixed number of steps",
            "the mask of held coefficients is in another order than the coefficients",
        ),
    ),
    Protocol(
        "bhagia2024",
        "ladder-task-loss",
        Source(
            "Establishing Task Scaling Laws via Compute-Efficient Model Ladders",
            "2412.04403",
            "step 1; the authors' repository",
            2024,
        ),
        "log",
        Huber(1e-3),
        {"A": math.exp(3.0), "B": math.exp(6.0), "alpha": 0.1, "beta": 0.2, "E": 1.0},
        Optimiser(
            "SciPy's L-BFGS-B with gradient, ftol = 0, gtol = 1e-10",
            "L-BFGS-B",
            "analytic",
            options={"ftol": 0.0, "gtol": 1e-10, "maxiter": 1_000_000},
        ),
        rows="16 runs: four sizes, 1 to 10 times Chinchilla's tokens; the last five checkpoints "
        "averaged.",
        flaws=("one start", "standard errors from the approximate inverse Hessian of L-BFGS-B"),
    ),
    Protocol(
        "olmo-core",
        "chinchilla",
        Source(
            "OLMo-core, model_ladder.analysis", "", "source of the package: scaling_laws.py", 2026
        ),
        "log",
        Huber(1e-3, overestimate=10.0),
        Grid(
            E=[_TINY, 0.7, 1.4, 2.1],
            A=_even(1.0, 20.0, 4),
            alpha=_even(0.2, 0.8, 4),
            B=_even(1.0, 20.0, 4),
            beta=_even(0.2, 0.8, 4),
        ),
        Optimiser(
            "SciPy's L-BFGS-B with finite differences and bounds, 10,000 iterations",
            "L-BFGS-B",
            options={"maxiter": 10_000},
        ),
        bounds={
            "A": (1e-10, 1e10),
            "B": (1e-10, 1e10),
            "alpha": (0.01, 2.0),
            "beta": (0.01, 2.0),
        },
        aggregation="100 resamples of the rows over the whole grid; predictions add a resampled "
        "residual.",
        note="1,024 starts; E runs from 0 to the least loss there, from 0.001 to 2.1 here. The "
        "penalty of 10 on predictions above the loss is what its documentation advises; without "
        "it the factor is 1. Weights are the square root of 6 N D if wanted. E is also held below "
        "the least loss.",
    ),
    Protocol(
        "nezhurina2025",
        "chinchilla",
        Source(
            "Scaling Laws for Robust Comparison of Open Foundation Language-Vision Models and "
            "Datasets",
            "2506.04598",
            "the authors' repository",
            2025,
        ),
        "linear",
        Squared(),
        Grid(
            E=[1e-6, 5e-4],
            A=_exp(*_LOG_SCALES),
            alpha=[0.1 + 0.3 * k for k in range(9)],
            B=_exp(*_LOG_SCALES),
            beta=[0.1 + 0.3 * k for k in range(9)],
        ),
        _CURVE_FIT,
        rows="Runs on the Pareto front of error against compute.",
        aggregation="100 resamples.",
        flaws=("with the Huber loss, the start is still chosen by the squared error",),
        note="5,832 starts; E at 0 is 1e-6 here.",
    ),
    Protocol(
        "choshen2024",
        "chinchilla",
        Source(
            "A Hitchhiker's Guide to Scaling Law Estimation",
            "2410.11840",
            "the authors' repository (ColPret)",
            2024,
        ),
        "linear",
        Squared(),
        _MUENNIGHOFF_BASE,
        Optimiser("SciPy's curve_fit with bounds (trust region, finite differences)", "trf"),
        bounds={"alpha": (0.0, math.inf), "beta": (0.0, math.inf)},
        where=("D >= 1e10",),
        rows="Checkpoints of many model families, those of the first 1e10 tokens left out.",
        flaws=(
            "one start, at another paper's coefficients",
            "a second code path takes FLOP for the number of parameters",
        ),
    ),
    Protocol(
        "tao2024",
        "-E + A_1 / N_nv**alpha_1 + A_2 / N_v**alpha_2 + B / D**beta",
        Source(
            "Scaling Laws with Vocabulary: Larger Models Deserve Larger Vocabularies",
            "2407.13623",
            "approach 3; the authors' repository",
            2024,
        ),
        "linear",
        Huber(1e-3),
        Grid(
            E=_exp(0.0, 2.0),
            A_1=_exp(0.0, 2.5, 5.0),
            alpha_1=[0.0, 0.5, 1.0],
            A_2=_exp(0.0, 2.5, 5.0),
            alpha_2=[0.0, 0.5, 1.0],
            B=_exp(0.0, 2.5, 5.0),
            beta=[0.0, 0.5, 1.0],
        ),
        _DIFFERENCES,
        tied=(("alpha_1", "beta"),),
        rows="Runs above 2.18e17 FLOP.",
        flaws=(
            "the start is chosen by the relative squared error, not by the objective, among "
            "results with exponents between 0.1 and 1",
        ),
        note="486 starts. N_nv in 1e6, N_v in 1e6 and D in 1e9, as there; the loss is relative to "
        "a unigram model and below 0.",
    ),
    Protocol(
        "czech2026",
        "chinchilla",
        Source(
            "vpnls, variable projection for Chinchilla's law", "2603.22339", "the package", 2026
        ),
        "linear",
        Squared(),
        "auto",
        Optimiser("A grid of 0.01 in both exponents, the rest by non-negative least squares"),
        flaws=("two digits of the exponents: 0.13 % above the minimum on the 240 points",),
        note="Also with Huber's loss on the loss itself, by ten reweighted steps.",
    ),
    Protocol(
        "chinchilla-package",
        "chinchilla",
        Source("chinchilla, a toolkit for scaling laws", "", "version 0.2.0", 2025),
        "linear",
        Quantile(1.0 / 11.0),
        "auto",
        Optimiser(
            "SciPy's BFGS with finite differences in extended precision", "BFGS", reduction="mean"
        ),
        flaws=(
            "the mean under absolute stopping tests: 243 starts end 2 % above the minimum or more",
        ),
        note="Absolute deviations, ten times as heavy above the loss as below; the user gives the "
        "grid, 3,125 starts in its documentation.",
    ),
    Protocol(
        "simple-scaling-laws",
        "chinchilla",
        Source("simple-scaling-laws", "", "version 0.2.0", 2026),
        "linear",
        Squared(),
        "auto",
        Optimiser(
            "SciPy's trust region with analytic derivatives, tolerances 1e-10",
            "trf",
            "analytic",
            options={"ftol": 1e-10, "xtol": 1e-10, "gtol": 1e-10},
        ),
        aggregation="1,000 draws of a wild bootstrap by configuration.",
        note="At most 256 seeds from variable projection, five polished; weights from estimated "
        "variances.",
    ),
)
