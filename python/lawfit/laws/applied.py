"""Laws of other fields: atomistic models, recommendation, retrieval, behaviour."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

# --- atoms -----------------------------------------------------------------------------------

_DPA3 = "A Graph Neural Network for the Era of Large Atomistic Models"
_ATOM_N = Variable("N", "parameters", "model parameters at the optimum", span=(1e6, 3e6))
_ATOM_D = Variable("D", "configurations", "configurations seen, one epoch", span=(3e6, 2e7))

ATOMS = tuple(
    Law(
        formula,
        [
            Parameter(scale, "log", start=(1e6, 1e24), description=f"{unit} at an error of 1"),
            Parameter("alpha", start=(0.02, 1.0), description="exponent"),
        ],
        variables,
        name=f"atomistic-{axis}",
        target="mae",
        source=Source(_DPA3, "2506.01686", "figure 4 (version 3)", 2025),
        protocol="Six compute budgets on OMat24; a parabola in log N per budget gives the optimum; "
        "a line in log-log through the optima.",
        published=[
            Published(
                "zhang2025",
                {scale: at_one, "alpha": alpha},
                "figure 4 of version 3, as quoted in reading notes of it",
                "energy error on validation data (meV per atom by its size)",
                "five or six points, no errors given",
            )
        ],
        notes="Along the compute-optimal frontier. The scale is an intercept, far outside the runs "
        "(1e6 to 3e6 parameters). At 2e6 parameters and 1e7 configurations the three printed lines "
        "give 18.6, 18.0 and 18.2. No floor: forces, other data and long extrapolation are not "
        "covered.",
    )
    for axis, formula, variables, unit, scale, at_one, alpha in (
        ("parameters", "(N / N_0)**-alpha", [_ATOM_N], "parameters", "N_0", 1.4e9, 0.4465),
        ("data", "(D / D_0)**-alpha", [_ATOM_D], "configurations", "D_0", 2.9e12, 0.2296),
        (
            "compute",
            "(N * D / C_0)**-alpha",
            [_ATOM_N, _ATOM_D],
            "parameters times configurations",
            "C_0",
            2.9e21,
            0.1545,
        ),
    )
)

# --- recommendation --------------------------------------------------------------------------

RECOMMENDER = Law(
    "a * x**b + c",
    [
        Parameter("a", start=(-0.1, 0.1), description="scale"),
        Parameter("b", bounds=(-2.0, 2.0), start=(-0.5, 0.5), description="exponent"),
        Parameter("c", start=(-0.1, 0.1), description="offset"),
    ],
    [Variable("x", "1e6", "parameters, or FLOPs per sample", span=(1.0, 1000.0))],
    name="recommender-gain",
    target="gain",
    source=Source(
        "UniMixer: A Unified Architecture for Scaling Laws in Recommendation Systems",
        "2604.00590",
        "gain in AUC against parameters or FLOPs",
        2026,
    ),
    protocol="Not known; one curve per architecture.",
    example={"a": -0.01, "b": -0.3, "c": 0.012},
    notes="Gains in AUC over a base are of order 1e-3: fit with residual='linear', and pair the "
    "noise across architectures. As b goes to 0 this is a + b log x, and a and c are not "
    "identified. The source's form is not known to us; the coefficients of the example are ours.",
    verified=False,
)

# --- retrieval -------------------------------------------------------------------------------

RETRIEVER = Law(
    "(A / N)**alpha + delta",
    [
        Parameter("A", "log", start=(1.0, 1e10), description="parameters at an excess of 1"),
        Parameter("alpha", bounds=(0.0, 3.0), start=(0.05, 1.5), description="exponent"),
        Parameter("delta", "log", start=(1e-3, 3.0), description="irreducible contrastive loss"),
    ],
    [Variable("N", "parameters", "parameters of the query tower", span=(1e8, 7e9))],
    name="retriever-parameters",
    source=Source(
        "ScalingNote: Scaling up Retrievers with Large Language Models for Real-World Dense "
        "Retrieval",
        "2411.15766",
        "contrastive loss against model size",
        2024,
    ),
    protocol="Not known.",
    example={"A": 1e6, "alpha": 0.4, "delta": 0.3},
    notes="The form is that of other work on dense retrieval, assumed here; it could not be "
    "checked, and no coefficients were found. Those of the example are ours.",
    verified=False,
)

GRAPH = Law(
    "a * x**alpha + b * y**beta",
    [
        Parameter("a", "log", start=(0.02, 1.0), description="scale of the data term"),
        Parameter("alpha", bounds=(0.0, 1.0), start=(0.0, 0.3), description="exponent of data"),
        Parameter("b", "log", start=(0.02, 1.0), description="scale of the parameter term"),
        Parameter("beta", bounds=(0.0, 1.0), start=(0.0, 0.3), description="exponent of size"),
    ],
    [
        Variable("x", "samples", "training samples", levels=(3e3, 6e3, 12e3, 24e3, 45e3)),
        Variable("y", "parameters", "model parameters", levels=(8e4, 2e5, 7e5, 2e6, 8e6)),
    ],
    name="graph-retriever",
    target="mrr",
    source=Source(
        "GFM-RAG: Graph Foundation Model for Retrieval Augmented Generation",
        "2502.01113",
        "figure 4",
        2025,
    ),
    protocol="Least squares on 25 runs.",
    published=[
        Published(
            "luo2025",
            {"a": 0.24, "alpha": 0.05, "b": 0.11, "beta": 0.03},
            "figure 4",
            "x samples, y parameters, mean reciprocal rank",
            "R2 0.95; rounded: two digits of such exponents leave 3 % of the rank open",
        )
    ],
    notes="Hardly identified: with exponents near 0 each term is nearly a constant plus a "
    "logarithm, and what one scale loses the other gains. On 25 simulated runs with 1 % noise a "
    "comes out anywhere between 0.01 and 0.3. Trust predictions inside the grid, not coefficients. "
    "No ceiling: the score exceeds 1 far outside.",
)

# --- behaviour -------------------------------------------------------------------------------

BEHAVIOUR = Law(
    "A * x**-alpha",
    [
        Parameter("A", "log", start=(0.1, 1e4), description="loss at one unit"),
        Parameter("alpha", start=(0.0, 1.0), description="exponent"),
    ],
    [Variable("x", "", "parameters, or events of training data", span=(1e6, 1e9))],
    name="behaviour-power",
    source=Source(
        "BehaveGPT: A Foundation Model for Large-scale User Behavior Modeling",
        "2505.17631",
        "loss against parameters and data",
        2025,
    ),
    protocol="Not known.",
    example={"A": 10.0, "alpha": 0.1},
    notes="The abstract speaks of scaling laws without a formula: the plainest form, for x "
    "parameters or data, assumed. Coefficients of the example are ours.",
    verified=False,
)

LAWS: tuple[Law, ...] = (*ATOMS, RECOMMENDER, RETRIEVER, GRAPH, BEHAVIOUR)
