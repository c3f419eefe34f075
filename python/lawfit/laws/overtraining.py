"""Laws of over-trained models: far more tokens than training compute alone asks for."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable
from .dense import CHINCHILLA

# Tokens per parameter up to which runs were used, then A, alpha, B, beta, E.
_SARDANA_SETS = {
    "100": (7.199, 0.08, 25.97, 0.13, 0.17),
    "250": (14.23, 0.13, 39.54, 0.16, 0.98),
    "500": (17.07, 0.13, 35.80, 0.16, 0.95),
    "all": (33.66, 0.18, 138.9, 0.24, 1.45),
}

INFERENCE_AWARE = Law(
    "E + A / N**alpha + B / D**beta",
    CHINCHILLA.declared_parameters,
    [
        Variable("N", "parameters", "model parameters", span=(1.5e8, 6e9)),
        Variable("D", "tokens", "training tokens, D_tr", span=(1.5e9, 1.5e12)),
    ],
    name="inference-aware",
    source=Source(
        "Beyond Chinchilla-Optimal: Accounting for Inference in Language Model Scaling Laws",
        "2401.00448",
        "table 1; eq. 3 for the cost",
        2024,
    ),
    published=[
        Published(
            f"sardana2024-{upto}",
            dict(zip(("A", "alpha", "B", "beta", "E"), values, strict=True)),
            "table 1",
            "N parameters, D training tokens, loss in nats per token",
            f"runs with {'any number of' if upto == 'all' else 'up to ' + upto} tokens per "
            "parameter; exponents printed to two digits",
        )
        for upto, values in _SARDANA_SETS.items()
    ],
    protocol="Chinchilla's: sum of Huber(1e-3) on log loss, L-BFGS over the 4,500 starts; 47 "
    "models of 150M to 6B parameters, 10 to 10,000 tokens per parameter.",
    notes="Coefficients move with the range of tokens per parameter, so none should be used far "
    "outside its own. The source minimises the cost 6 N D + 2 N D_inf at a given loss, in money 6 "
    "N D c_tr / MFU_tr + 2 N c_inf (D_in / MFU_in + D_out / MFU_out); at the optimum the "
    "elasticities of the reducible loss have the ratio eps_N / eps_D = 1 + D_inf / (3 D), which "
    "also turns an observed N and D into the tokens served that they imply. With the small "
    "exponents of the first sets E is hardly identified: 15 % from 300 runs with noise of 0.2 %.",
)

_GADRE = "Language models scale reliably with over-training and on downstream tasks"
_GADRE_SETS = {
    "c4": ("C4", 1.508, 141.3, 189.5, 0.1212),
    "redpajama": ("RedPajama", 1.837, 212.2, 366.7, 0.1364),
    "refinedweb": ("RefinedWeb", 1.735, 157.1, 246.2, 0.1272),
}

OVERTRAINING = Law(
    "E + (a * M**eta + b * M**-eta) * C**-eta",
    [
        Parameter("E", "log", start=(0.3, 4.0), description="irreducible loss, nats per token"),
        Parameter("a", "log", start=(1.0, 3e3), description="scale of the parameter term"),
        Parameter("b", "log", start=(1.0, 3e3), description="scale of the data term"),
        Parameter("eta", start=(0.02, 0.4), description="exponent in compute, half of alpha"),
    ],
    [
        Variable("M", "tokens per parameter", "token multiplier D / N", span=(5.0, 640.0)),
        Variable("C", "FLOP", "training compute 6 N D", span=(1e16, 1e22)),
    ],
    name="overtraining",
    source=Source(_GADRE, "2403.08540", "eq. 4", 2024),
    published=[
        Published(
            f"gadre2024-{name}",
            {"E": e, "a": a, "b": b, "eta": eta},
            "table of fitted laws; digits from the authors' code and runs",
            f"C in FLOP, M = D / N, loss in nats per token on C4's validation set after training "
            f"on {data}",
            "fitted to 5 or 6 small runs",
        )
        for name, (data, e, a, b, eta) in _GADRE_SETS.items()
    ],
    protocol="SciPy's curve_fit on the loss in N and M, 4 * 4 * 2 * 4 = 128 starts, the least "
    "RMSE.",
    notes="Chinchilla's law with alpha = beta = 2 eta, a = A * 6**eta, b = B * 6**eta. Lines of "
    "different M are parallel in the reducible loss; the best M is (b / a)**(1 / (2 eta)).",
)

ERROR = Law(
    "epsilon - k * exp(-gamma * loss)",
    [
        Parameter(
            "epsilon", "log", start=(0.3, 1.0), description="error of a model that knows nothing"
        ),
        Parameter("k", "log", start=(0.1, 20.0), description="scale of the gain"),
        Parameter("gamma", start=(0.1, 3.0), description="fall of the gain per nat"),
    ],
    [Variable("loss", "nats per token", "validation loss", span=(2.2, 4.2))],
    name="overtraining-error",
    target="error",
    source=Source(_GADRE, "2403.08540", "eq. 5", 2024),
    example={"epsilon": 0.86, "k": 2.2, "gamma": 0.72},
    protocol="One least-squares fit on a handful of runs.",
    notes="Top-1 error averaged over 17 tasks; chained with `overtraining` it predicts error from "
    "compute. A power law of perplexity: epsilon - k * PP**-gamma. Form read in the authors' code; "
    "the example is close to a fit of all their RedPajama runs (.860, 2.28, .72), not the printed "
    "coefficients. k and gamma trade off over a short range of losses.",
    verified=False,
)

LAWS: tuple[Law, ...] = (INFERENCE_AWARE, OVERTRAINING, ERROR)
