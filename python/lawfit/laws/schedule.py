"""Laws of the whole training curve under a learning-rate schedule."""

from __future__ import annotations

from ..law import Law, Parameter, Source, Variable

_TITLE = "Scaling Law with Learning Rate Annealing"
_FIT = (
    "Sum of Huber(1e-3) on log loss over the steps of one or two curves, L-BFGS-B with all "
    "parameters at or above 0, from 2 L_0, 3 A, 3 C and 3 alpha in 0.1-2.1, 1-22, 1-22 and 0-0.8."
)
_NOTES = (
    "S_1 and S_2 are columns made from the schedule eta: S_1 = sum of eta over the steps; m_i = "
    "lambda * m_(i-1) + eta_(i-1) - eta_i and S_2 = sum of m, with lambda = 0.999 in the authors' "
    "code. Warm-up counts as steps at the peak rate. Neighbouring steps of a curve share their "
    "noise: thin them or resample in blocks. Form, lambda and starts read in the authors' code. "
    "Simulated runs draw S_1 and S_2 independently, which one schedule alone would not: with a "
    "constant rate S_2 is 0 and C is unknown."
)
_S_1 = Variable("S_1", "", "area under the learning rate up to the step", span=(0.2, 12.0))
_S_2 = Variable("S_2", "", "annealing area up to the step, with its momentum", span=(0.0, 0.25))
_CORE = [
    Parameter("L_0", "log", start=(0.3, 4.0), description="irreducible loss, nats per token"),
    Parameter("A", "log", start=(0.05, 22.0), description="scale of the forward term"),
    Parameter("alpha", start=(0.05, 1.5), description="exponent of the forward area"),
    Parameter("C", "log", start=(0.02, 22.0), description="loss per annealing area"),
]

ANNEALING = Law(
    "L_0 + A * S_1**-alpha - C * S_2",
    _CORE,
    [_S_1, _S_2],
    name="annealing",
    source=Source(_TITLE, "2408.11029", "eq. 1 (abstract)", 2024),
    example={"L_0": 2.628, "A": 0.430, "alpha": 0.550, "C": 0.411},
    protocol=_FIT,
    notes="The example is a refit, by the authors' recipe, of the 40 losses of a cosine and a "
    "constant schedule that their code prints (peak rate 2e-4, 20,000 steps). " + _NOTES,
)

ANNEALING_SIZE = Law(
    "L_0 + A * S_1**-alpha + B * N**-beta - C * S_2",
    [
        *_CORE[:3],
        Parameter("B", "log", start=(1.0, 1e6), description="scale of the parameter term"),
        Parameter("beta", start=(0.05, 1.0), description="exponent of parameters"),
        _CORE[3],
    ],
    [
        _S_1,
        _S_2,
        Variable("N", "parameters", "model parameters without embeddings", span=(1e8, 2e9)),
    ],
    name="annealing-parameters",
    source=Source(_TITLE, "2408.11029", "extension to model size", 2024),
    example={"L_0": 1.8, "A": 0.42, "alpha": 0.5, "B": 200.0, "beta": 0.3, "C": 0.45},
    protocol=_FIT,
    notes="Coefficients were not found, the example is ours. " + _NOTES,
    verified=False,
)

LAWS: tuple[Law, ...] = (ANNEALING, ANNEALING_SIZE)
