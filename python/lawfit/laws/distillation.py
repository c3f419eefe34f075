"""Laws of distillation: a student's loss from its size, its tokens and its teacher's loss."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

_TITLE = "Distillation Scaling Laws"
_N_S = Variable(
    "N_S", "parameters", "student's parameters without embeddings", span=(1.4e8, 1.3e10)
)
_D_S = Variable("D_S", "tokens", "tokens the student is trained on", span=(2e9, 5e11))
_L_T = Variable("L_T", "nats per token", "teacher's loss", span=(1.9, 2.6))

_SUPERVISED = [
    Parameter("E", "log", start=(0.3, 3.0), description="irreducible loss, nats per token"),
    Parameter("A", "log", start=(1.0, 1e6), description="scale of the parameter term"),
    Parameter("alpha", start=(0.1, 1.0), description="exponent of parameters"),
    Parameter("B", "log", start=(1.0, 1e7), description="scale of the data term"),
    Parameter("beta", start=(0.1, 1.0), description="exponent of tokens"),
    Parameter("gamma", bounds=(1e-3, 5.0), start=(0.2, 1.2), description="exponent of the sum"),
]
_STUDENT = [
    Parameter("c_0", start=(0.0, 5.0), description="exponent of the teacher's loss"),
    Parameter(
        "d_1", "log", start=(0.5, 2.5), description="loss ratio at which the teacher is too good"
    ),
    Parameter(
        "f_1",
        bounds=(0.01, 5.0),
        start=(0.05, 0.5),
        description="width of the change between the two regimes",
    ),
    Parameter("c_1", "log", start=(0.1, 600.0), description="exponent past the change"),
    Parameter(
        "A_s",
        "log",
        bounds=(1e-6, 1e15),
        start=(1.0, 1e6),
        description="scale of the parameter term, A'",
    ),
    Parameter("alpha_s", start=(0.1, 1.0), description="exponent of parameters, alpha'"),
    Parameter(
        "B_s",
        "log",
        bounds=(1e-6, 1e15),
        start=(1.0, 1e7),
        description="scale of the data term, B'",
    ),
    Parameter("beta_s", start=(0.1, 1.0), description="exponent of tokens, beta'"),
    Parameter(
        "gamma_s", bounds=(1e-3, 5.0), start=(0.2, 1.2), description="exponent of the sum, gamma'"
    ),
]
_SUPERVISED_VALUES = {
    "E": 1.220,
    "A": 3355.0,
    "alpha": 0.408,
    "B": 18186.0,
    "beta": 0.431,
    "gamma": 0.452,
}
_STUDENT_VALUES = {
    "c_0": 2.549,
    "d_1": 1.315,
    "f_1": 0.090,
    "c_1": 522.6,
    "A_s": 2243.0,
    "alpha_s": 0.321,
    "B_s": 24181.0,
    "beta_s": 0.637,
    "gamma_s": 0.764,
}
_WHERE = "appendix F.3, table 6"
_UNITS = "N without embeddings and D as plain counts, loss in nats per token"
_STUCK = "the interval of c_1 has no width (522.6 to 522.6): it stayed where the optimiser left it"

# Eq. 8; SUPERVISED stands for the loss of the same student trained without a teacher.
_FORM = (
    "L_T + L_T**-c_0 * (1 + (L_T / (SUPERVISED * d_1))**(1 / f_1))**(-c_1 * f_1)"
    " * (A_s / N_S**alpha_s + B_s / D_S**beta_s)**gamma_s"
)

SUPERVISED = Law(
    "E + (A / N**alpha + B / D**beta)**gamma",
    _SUPERVISED,
    [
        Variable("N", "parameters", "parameters without embeddings", span=(1.4e8, 1.3e10)),
        Variable("D", "tokens", "training tokens", span=(2e9, 5e11)),
    ],
    name="distillation-supervised",
    source=Source(_TITLE, "2502.08606", "eq. 1", 2025),
    published=[Published("busbridge2025", _SUPERVISED_VALUES, _WHERE, _UNITS)],
    protocol="Huber(1e-4) on log loss by log-sum-exp, L-BFGS-B on 73 runs; starts log A, log B 0, "
    "5, ..., 20, log E -1, -0.5, ..., 1.5, exponents 0, 0.5, 1, 1.5; 4,096 bootstraps.",
    notes="Chinchilla's form with one more exponent. A, B, alpha, beta and gamma trade off: only "
    "alpha gamma and beta gamma are well identified.",
)

DISTILLATION = Law(
    _FORM.replace("SUPERVISED", "L_S_supervised"),
    _STUDENT,
    [
        _N_S,
        _D_S,
        _L_T,
        Variable(
            "L_S_supervised",
            "nats per token",
            "loss of the same student trained without a teacher, measured or predicted",
            span=(2.0, 3.2),
        ),
    ],
    name="distillation",
    source=Source(_TITLE, "2502.08606", "eq. 8", 2025),
    published=[Published("busbridge2025", _STUDENT_VALUES, _WHERE, _UNITS, _STUCK)],
    protocol="Second stage: the supervised law gives L_S_supervised. Huber(1e-4) on log loss by "
    "log-sum-exp, L-BFGS-B on 697 runs; starts log A', log B' 0, 5, ..., 20, alpha', beta', gamma' "
    "0, 0.5, 1, c_0, c_1, f_1 0, 0.5, 1, 1.5, log d_1 -1, -0.5, ..., 1.",
    notes="Too good a teacher harms: past L_T = d_1 L_S_supervised the gain turns. Where few "
    "students lie on both sides of it, c_0, c_1, d_1 and f_1 trade off, and A', B', gamma' "
    "as in distillation-supervised. Cost: 3 F(N_S) D_S + F(N_T) (D_S if the teacher's logits are "
    "paid, + 3 D_T if its training is).",
)

NESTED = Law(
    _FORM.replace("SUPERVISED", "(E + (A / N_S**alpha + B / D_S**beta)**gamma)"),
    [*_SUPERVISED, *_STUDENT],
    [_N_S, _D_S, _L_T],
    name="distillation-nested",
    source=Source(_TITLE, "2502.08606", "eq. 8 with the supervised law put in", 2025),
    published=[
        Published(
            "busbridge2025", {**_SUPERVISED_VALUES, **_STUDENT_VALUES}, _WHERE, _UNITS, _STUCK
        )
    ],
    protocol="The source fits in two stages: hold E, A, alpha, B, beta, gamma with fixed={...}.",
    notes="distillation with the supervised loss written out, for planning and "
    "prediction. Do not fit all fifteen at once: distilled students alone do not "
    "identify the supervised law.",
)

LAWS: tuple[Law, ...] = (SUPERVISED, DISTILLATION, NESTED)
