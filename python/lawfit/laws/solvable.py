"""Laws of solvable models of learning: linked exponents, bottlenecks and phases."""

from __future__ import annotations

from ..law import Law, Parameter, Source, Variable

_PHASES = "4+3 Phases of Compute-Optimal Neural Scaling Laws"

PHASES = Law(
    "c_0 * d**(-2 * alpha + max(0, 1 - 2 * beta))"
    " + c_pp * r**(-(2 * alpha + 2 * beta - 1) / (2 * alpha))"
    " + c_ac * d**-1 * r**(-1 + 1 / (2 * alpha))"
    " + c_K * r**(-2 + 1 / (2 * alpha))",
    [
        Parameter("c_0", "log", start=(0.05, 20.0), description="scale of the capacity limit F_0"),
        Parameter("alpha", bounds=(0.05, 5.0), start=(0.55, 1.5), description="data complexity"),
        Parameter("beta", bounds=(0.05, 5.0), start=(0.3, 1.5), description="target complexity"),
        Parameter("c_pp", "log", start=(0.05, 20.0), description="scale of F_pp, the main descent"),
        Parameter("c_ac", "log", start=(0.05, 20.0), description="scale of F_ac, the distortion"),
        Parameter("c_K", "log", start=(0.05, 20.0), description="scale of K_pp, the SGD noise"),
    ],
    [
        Variable("d", "parameters", "model dimension", span=(10.0, 1e4)),
        Variable("r", "steps", "steps of SGD, one pass", span=(10.0, 1e7)),
    ],
    name="phases",
    source=Source(_PHASES, "2405.15074", "table of asymptotics of F_0, F_pp, F_ac, K_pp", 2024),
    example={"c_0": 1.0, "alpha": 0.9, "beta": 0.7, "c_pp": 1.0, "c_ac": 1.0, "c_K": 1.0},
    protocol="Theory, checked by SGD and by a Volterra equation.",
    notes="All exponents follow from two. The distortion exists for 2 beta > 1 and 2 alpha > 1 "
    "only: fix c_ac elsewhere. F_pp and K_pp have nearly the same exponent near 2 beta = 2 alpha, "
    "where c_pp and c_K are not separated. r may stand for learning rate times batch times steps. "
    "The exponents could not be seen in a second source.",
    verified=False,
)

PHASES_OPTIMUM = Law(
    "a * f**xi",
    [
        Parameter("a", "log", start=(1e-3, 1e3), description="scale"),
        Parameter("xi", bounds=(0.0, 1.0), start=(0.2, 0.9), description="exponent"),
    ],
    [Variable("f", "FLOP", "budget, steps times dimension", span=(1e3, 1e10))],
    name="phases-optimal-dimension",
    target="d_opt",
    source=Source(_PHASES, "2405.15074", "compute-optimal dimension by phase", 2024),
    example={"a": 0.5, "xi": 0.5},
    protocol="A line in log-log of numerical optima.",
    notes="xi is 1/2 in a large region of (alpha, beta); 0.508 and 0.525 were measured.",
    verified=False,
)

SOLVABLE = Law(
    "A * min(N, T)**-alpha",
    [
        Parameter("A", "log", start=(0.01, 1e3), description="scale"),
        Parameter("alpha", start=(0.05, 2.0), description="exponent of the spectrum"),
    ],
    [
        Variable("N", "features", "random features, the model's size", span=(10.0, 1e4)),
        Variable("T", "samples", "training samples", span=(10.0, 1e4)),
    ],
    name="solvable",
    source=Source(
        "A Solvable Model of Neural Scaling Laws", "2210.16859", "limits of the test loss", 2022
    ),
    example={"A": 5.0, "alpha": 0.4},
    protocol="Theory.",
    notes="The limits on both sides; the source's bottleneck is smooth at N = T. Eigenvalues fall "
    "as i**-(1 + alpha). Beyond the latent dimension of the data (min(N, T) > M) the loss is flat. "
    "Best is N = T. Only the abstract was checked.",
    verified=False,
)

_DYNAMICAL = "A Dynamical Model of Neural Scaling Laws"

DYNAMICAL = Law(
    "E + A_t * t**(-(a - 1) / b) + A_N * N**-min(a - 1, 2 * b) + A_P * P**-min(a - 1, 2 * b)",
    [
        Parameter("E", "log", start=(1e-3, 1.0), description="irreducible loss"),
        Parameter("A_t", "log", start=(0.05, 20.0), description="scale of the time term"),
        Parameter("a", bounds=(1.0, 20.0), start=(1.1, 3.0), description="decay of task power"),
        Parameter("b", bounds=(0.1, 50.0), start=(1.0, 5.0), description="decay of eigenvalues"),
        Parameter("A_N", "log", start=(0.05, 20.0), description="scale of the model term"),
        Parameter("A_P", "log", start=(0.05, 20.0), description="scale of the data term"),
    ],
    [
        Variable("t", "steps", "training time", span=(10.0, 1e6)),
        Variable("N", "features", "model size, width", span=(10.0, 1e4)),
        Variable("P", "samples", "training samples", span=(10.0, 1e5)),
    ],
    name="dynamical",
    source=Source(_DYNAMICAL, "2402.01092", "bottleneck exponents, section 4", 2024),
    example={"E": 0.05, "A_t": 2.0, "a": 1.76, "b": 2.2, "A_N": 1.5, "A_P": 1.5},
    protocol="Theory by dynamical mean field, checked by simulation.",
    notes="For hard tasks a - 1 < 2 b. On CIFAR-5M b = 2.0 and a = 1.15; transformers on Wikitext: "
    "t**-0.16 + N**-0.76, that is a = 1.76 and b = 4.75. Early in training the correction in N and "
    "P goes as 1 / N and 1 / P instead.",
)

DYNAMICAL_OPTIMUM = Law(
    "c * C**(1 / (1 + b))",
    [
        Parameter("c", "log", start=(0.01, 100.0), description="scale"),
        Parameter("b", bounds=(0.0, 50.0), start=(0.5, 5.0), description="decay of eigenvalues"),
    ],
    [Variable("C", "", "compute N t", span=(1e3, 1e10))],
    name="dynamical-optimal-width",
    target="N_opt",
    source=Source(_DYNAMICAL, "2402.01092", "compute-optimal scaling, a - 1 < 2 b", 2024),
    example={"c": 1.0, "b": 2.0},
    protocol="Theory.",
    notes="Then t_opt goes as C**(b / (1 + b)) and the loss as C**(-(a - 1) / (1 + b)).",
)

LOTTERY = Law(
    "A * N**-alpha",
    [
        Parameter("A", "log", start=(1e-6, 10.0), description="scale"),
        Parameter("alpha", start=(0.3, 5.0), description="exponent"),
    ],
    [Variable("N", "", "width of the network", span=(10.0, 1e4))],
    name="lottery",
    target="mse",
    source=Source(
        "A Neural Scaling Law from Lottery Ticket Ensembling", "2310.02258", "abstract", 2023
    ),
    example={"A": 0.01, "alpha": 1.0},
    protocol="A line in log-log.",
    notes="Approximation theory predicts 4 / d, that is 4 for the source's one-dimensional task; "
    "it measures 1. A case for testing an exponent against a value.",
)

ASSOCIATIVE = Law(
    "A * d**(1 - alpha) + B * T**(-1 + 1 / alpha)",
    [
        Parameter("A", "log", start=(0.05, 20.0), description="scale of the capacity term"),
        Parameter("alpha", bounds=(1.0, 20.0), start=(1.2, 3.0), description="Zipf exponent"),
        Parameter("B", "log", start=(0.05, 20.0), description="scale of the data term"),
    ],
    [
        Variable("d", "", "dimension of the memory", span=(4.0, 1e4)),
        Variable("T", "samples", "training samples", span=(10.0, 1e6)),
    ],
    name="associative-memory",
    target="error",
    source=Source(
        "Scaling Laws for Associative Memories", "2310.02984", "best memory schemes", 2023
    ),
    example={"A": 1.0, "alpha": 1.6, "B": 1.0},
    protocol="Theory, checked by experiments.",
    notes="One exponent drives both terms. By algebra: the mass of Zipf's law beyond the d most "
    "frequent items goes as d**(1 - alpha), that of items not seen in T samples as "
    "T**(-1 + 1 / alpha). Other schemes have other exponents.",
)

LAWS: tuple[Law, ...] = (
    PHASES,
    PHASES_OPTIMUM,
    SOLVABLE,
    DYNAMICAL,
    DYNAMICAL_OPTIMUM,
    LOTTERY,
    ASSOCIATIVE,
)
