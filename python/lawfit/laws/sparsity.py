"""Laws of sparse models: mixtures of experts, upcycling, pruning."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

# Clark et al.: experts as they count, from E_start (E = 1) to at most E_max.
_SATURATING = "(1 / (1 / (E - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max))"

_EXPERTS = [
    Parameter(
        "E_start",
        bounds=(0.0, 100.0),
        start=(1.2, 6.0),
        description="what a dense model counts as, experts",
    ),
    Parameter(
        "E_max",
        "log",
        bounds=(100.0, float("inf")),
        start=(150.0, 2000.0),
        description="most that experts count, experts",
    ),
]

_ROUTED = "Unified Scaling Laws for Routed Language Models"
_ROUTED_PROTOCOL = "All runs on 130e9 tokens; squared error of log10 L."
_ROUTED_NOTES = (
    "log10 L = a log10 N + b log10 E' + c log10 N log10 E' + d, with E' the saturating count of "
    "experts. Linear in a, b, c, d given E_start and E_max. Routing stops helping at N = 10**(-b / "
    "c), which three printed digits of c fix only roughly (printed: 937e9 for S-Base, 85e9 for "
    "RL-R, 83e9 for Hash)."
)
_ROUTED_UNITS = (
    "N without embeddings, of the dense model of the same compute; loss in nats per token"
)
_TRANSLOG = [
    Parameter("a", start=(-0.3, 0.0), description="exponent of size or compute"),
    Parameter("b", start=(-0.4, 0.0), description="exponent of experts"),
    Parameter("c", start=(-0.02, 0.05), description="interaction of the two"),
    Parameter("d", start=(0.0, 3.0), description="log10 of the scale of the loss"),
]

ROUTED = Law(
    f"10**(a * log10(N) + b * log10({_SATURATING}) + c * log10(N) * log10({_SATURATING}) + d)",
    [*_TRANSLOG, *_EXPERTS],
    [
        Variable("N", "parameters", "parameters of the dense model", span=(1.5e7, 1.3e9)),
        Variable(
            "E", "experts", "experts; 1 for dense", levels=(1.0, 2.0, 4.0, 8.0, 32.0, 128.0, 512.0)
        ),
    ],
    name="routed",
    source=Source(_ROUTED, "2202.01169", "eq. 1, table 3", 2022),
    published=[
        Published(
            "clark2022-s-base",
            {"a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "E_start": 1.847, "E_max": 314.478},
            "table 3, as read by one third party",
            _ROUTED_UNITS,
            "logarithms to base 10; the interaction is rounded to one or two digits",
        ),
        Published(
            "clark2022-rl-r",
            {"a": -0.083, "b": -0.126, "c": 0.012, "d": 1.111, "E_start": 1.880, "E_max": 469.982},
            "table 3, as read by one third party",
            _ROUTED_UNITS,
            "logarithms to base 10; the interaction is rounded to one or two digits",
        ),
        Published(
            "clark2022-hash",
            {"a": -0.087, "b": -0.136, "c": 0.012, "d": 1.157, "E_start": 4.175, "E_max": 477.741},
            "table 3, as read by one third party",
            _ROUTED_UNITS,
            "logarithms to base 10; the interaction is rounded to one or two digits",
        ),
    ],
    protocol=_ROUTED_PROTOCOL,
    notes=_ROUTED_NOTES + " Of the authors' released final runs (one expert active, every second "
    "layer routed, and dense ones) the printed values predict all within some per cent, 1 to 2 % "
    "on average; least squares on them gives b from -0.128 to -0.153 and c from 0.0117 to 0.0141 "
    "for RL-R, as runs are chosen. E_start and E_max are weakly identified.",
    verified=False,
)

ROUTED_FLOPS = Law(
    f"10**(a * log10(F) + b * log10({_SATURATING.replace('E - 1', 'P / F - 1')})"
    f" + c * log10(F) * log10({_SATURATING.replace('E - 1', 'P / F - 1')}) + d)",
    [
        *_TRANSLOG,
        Parameter(
            "E_start",
            bounds=(0.0, 100.0),
            start=(1.2, 6.0),
            description="what P / F = 1 counts as",
        ),
        Parameter(
            "E_max",
            "log",
            bounds=(100.0, float("inf")),
            start=(150.0, 2000.0),
            description="most that P / F counts",
        ),
    ],
    [
        Variable(
            "F",
            "parameters",
            "active parameters (FLOPs a token, in units of dense)",
            span=(1.5e7, 1.3e9),
        ),
        Variable("P", "parameters", "all parameters, at least F", span=(1.4e9, 1e11)),
    ],
    name="routed-flops",
    source=Source(_ROUTED, "2202.01169", "eq. 2", 2022),
    example={"a": -0.083, "b": -0.126, "c": 0.012, "d": 1.111, "E_start": 1.88, "E_max": 469.982},
    protocol=_ROUTED_PROTOCOL,
    notes="The form for any number of active experts: compute F instead of N, and the ratio B = P "
    "/ F of all parameters to the active ones instead of E. Its coefficients could not be "
    "read; those of the example are of routed. The source counts F in TFLOPs per forward "
    "pass, which only moves b and d.",
    verified=False,
)

FINE_GRAINED = Law(
    "c + (g / G**gamma + a) / N**alpha + b / D**beta",
    [
        Parameter("c", "log", start=(0.1, 3.0), description="irreducible loss, nats per token"),
        Parameter("g", "log", start=(0.1, 1e3), description="scale of what coarse experts cost"),
        Parameter("gamma", start=(0.1, 2.0), description="exponent of granularity"),
        Parameter("a", "log", start=(1.0, 1e6), description="scale of the parameter term"),
        Parameter("alpha", start=(0.05, 0.8), description="exponent of parameters"),
        Parameter("b", "log", start=(1.0, 1e6), description="scale of the data term"),
        Parameter("beta", start=(0.05, 0.8), description="exponent of tokens"),
    ],
    [
        Variable("N", "parameters", "all parameters, without embeddings", span=(1.29e8, 3.7e9)),
        Variable("D", "tokens", "training tokens", span=(1.6e10, 1.3e11)),
        Variable(
            "G", "", "granularity: hidden size over expert size", levels=(1.0, 2.0, 4.0, 8.0, 16.0)
        ),
    ],
    name="moe-granularity",
    source=Source(
        "Scaling Laws for Fine-Grained Mixture of Experts", "2402.07871", "eq. 9, table 1", 2024
    ),
    published=[
        Published(
            "krajewski2024",
            {
                "c": 0.47,
                "g": 2.1,
                "gamma": 0.58,
                "a": 18.1,
                "alpha": 0.115,
                "b": 30.8,
                "beta": 0.147,
            },
            "table 1, as read by one third party",
            "N and D as plain counts, loss in nats per token; expansion rate 64",
            "a dense model has a 16.3, alpha 0.126, b 26.7, beta 0.127, c 0.47",
        )
    ],
    protocol="Huber(0.1), BFGS with weight decay 5e-4, more than 100 runs; RMSE 0.015.",
    notes="Exponents near 0.1 and a small c go together: c, b and beta are weakly identified.",
    verified=False,
)

SPARSITY = Law(
    "a / N**alpha + b / D**beta + c / (1 - S)**lam + d / ((1 - S)**delta * N**gamma) + e",
    [
        Parameter("a", "log", start=(1.0, 1e6), description="scale of the parameter term"),
        Parameter("alpha", start=(0.1, 1.5), description="exponent of parameters"),
        Parameter("b", "log", start=(1.0, 1e6), description="scale of the data term"),
        Parameter("beta", start=(0.1, 1.5), description="exponent of tokens"),
        Parameter("c", "log", start=(1e-2, 10.0), description="scale of the sparsity term"),
        Parameter("lam", start=(-1.0, 1.0), description="exponent of density; either sign"),
        Parameter("d", "log", start=(1e-2, 1e3), description="scale of the interaction"),
        Parameter("delta", start=(-1.0, 1.0), description="exponent of density, interaction"),
        Parameter("gamma", start=(0.05, 1.0), description="exponent of parameters, interaction"),
        Parameter("e", "log", start=(0.1, 3.0), description="irreducible loss, nats per token"),
    ],
    [
        Variable("N", "parameters", "all parameters", span=(1e8, 3e10)),
        Variable("D", "tokens", "training tokens", span=(5e9, 5e11)),
        Variable(
            "S",
            "",
            "sparsity, (experts - active experts) / experts",
            levels=(0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98),
        ),
    ],
    name="moe-sparsity",
    source=Source(
        "Parameters vs FLOPs: Scaling Laws for Optimal Sparsity for Mixture-of-Experts Language "
        "Models",
        "2501.12370",
        "eq. 6, table 3",
        2025,
    ),
    published=[
        Published(
            "abnar2025",
            {
                "a": 16612.50,
                "alpha": 0.5962,
                "b": 5455.67,
                "beta": 0.3954,
                "c": 0.4598,
                "lam": -0.1666,
                "d": 17.26,
                "delta": 0.1603,
                "gamma": 0.1595,
                "e": 0.94,
            },
            "table 3; quoted alike by two independent repositories",
            "N and D as plain counts, loss in nats per token",
        )
    ],
    protocol="Huber(1e-3), L-BFGS from a grid of starts; sparsity 0.98 held out.",
    notes="lambda of the source is called lam. R2 is 99 % in the sample and 68 % on the held-out "
    "sparsity (as read by a third party): do not extrapolate in S. Ten parameters are more than "
    "noisy runs identify: e, c and lam trade off, and so do the two terms in N. Predictions agree "
    "when the coefficients do not.",
)

SPARSE_FOUNDATION = Law(
    "(a_S * (1 - S)**b_S + c_S) * (1 / N)**b_N + (a_D / D)**b_D + c",
    [
        Parameter("a_S", "log", start=(0.1, 1e5), description="scale of the part that S changes"),
        Parameter("b_S", start=(0.05, 3.0), description="exponent of density"),
        Parameter("c_S", "log", start=(0.1, 1e5), description="scale of the part that S leaves"),
        Parameter("b_N", start=(0.05, 1.0), description="exponent of non-zero parameters"),
        Parameter("a_D", "log", start=(1e3, 1e12), description="scale of the data term, tokens"),
        Parameter("b_D", start=(0.05, 1.0), description="exponent of tokens"),
        Parameter("c", "log", start=(0.1, 3.0), description="irreducible loss"),
    ],
    [
        Variable("N", "parameters", "non-zero parameters", span=(1e6, 1e8)),
        Variable("D", "tokens", "training data", span=(1.6e10, 1.3e11)),
        Variable("S", "", "share of zero weights", levels=(0.0, 0.5, 0.75, 0.875)),
    ],
    name="sparse-foundation",
    source=Source(
        "Scaling Laws for Sparsely-Connected Foundation Models", "2309.08520", "eq. 1", 2023
    ),
    example={
        "a_S": 17.0,
        "b_S": 0.72,
        "c_S": 45.0,
        "b_N": 0.25,
        "a_D": 7e8,
        "b_D": 0.9,
        "c": 0.65,
    },
    protocol="Huber(1e-3) on log loss, starts at random, BFGS (as known to us).",
    notes="Weights pruned during pretraining: sparsity multiplies the size term. Form confirmed "
    "by two readers; coefficients are ours.",
    verified=False,
)

_JOINT = "Joint MoE Scaling Laws: Mixture of Experts Can Be Memory Efficient"

JOINT = Law(
    f"a * {_SATURATING}**delta * N_act**(alpha + gamma * log({_SATURATING}))"
    f" + b * {_SATURATING}**omega * D**(beta + zeta * log({_SATURATING})) + c",
    [
        Parameter("a", "log", start=(30.0, 300.0), description="scale of the parameter term"),
        Parameter("delta", start=(-0.5, 0.5), description="exponent of experts, parameter term"),
        Parameter("alpha", start=(-0.5, -0.05), description="exponent of parameters, negative"),
        Parameter("gamma", start=(-0.5, 0.5), description="change of alpha with log experts"),
        Parameter("b", "log", start=(30.0, 300.0), description="scale of the data term"),
        Parameter("omega", start=(-0.5, 0.5), description="exponent of experts, data term"),
        Parameter("beta", start=(-0.5, -0.05), description="exponent of tokens, negative"),
        Parameter("zeta", start=(-0.5, 0.5), description="change of beta with log experts"),
        Parameter("c", "log", start=(0.5, 2.0), description="irreducible loss, nats per token"),
        *_EXPERTS,
    ],
    [
        Variable("N_act", "parameters", "active parameters", span=(5e7, 2.7e9)),
        Variable("D", "tokens", "training tokens", span=(5e8, 8e10)),
        Variable("E", "experts", "experts; 1 for dense", levels=(1.0, 2.0, 4.0, 8.0, 16.0, 32.0)),
    ],
    name="joint-moe",
    source=Source(_JOINT, "2502.05172", "eq. 4 and 6", 2025),
    published=[
        Published(
            "ludziejewski2025",
            {
                "a": 35.91,
                "delta": -0.2285,
                "alpha": -0.1889,
                "gamma": 0.0098,
                "b": 35.98,
                "omega": 0.5529,
                "beta": -0.1775,
                "zeta": -0.0259,
                "c": 1.3637,
                "E_start": 2.0732,
                "E_max": 290.4521,
            },
            "appendix B, table 3",
            "N_act with embeddings and D as plain counts, loss on FineWeb-Edu in nats per token",
            "table 4 has what they come to for given experts: at E = 1, 30.36 N**-0.1817 + 53.98 "
            "D**-0.1965 + 1.3637. They give the optima of the paper's table 1 (1e20 FLOPs, 1 and "
            "32 experts: 1.73e9 and 0.67e9 active parameters, printed 1.7B and 669M)",
        )
    ],
    protocol="Huber(0.01) on log loss by log-sum-exp, L-BFGS (step 1e-4, weight decay 1e-5), bad "
    "runs weighted down; starts of size 0.05, 0.25, 0.5 for alpha and beta, 30, 100, 300 for a and "
    "b, 0.5, 1, 2 for c and -0.5, 0, 0.5 for the others; the best on runs and 30 held-out runs "
    "together. RMSE 0.0062 and 0.0039.",
    notes="For given experts this is Chinchilla's law. One expert active. delta and gamma, omega "
    "and zeta trade off, and with 32 experts at most E_max is hardly identified.",
)

JOINT_RATE = Law(
    "exp(a + b * log(N) + c * log(E))",
    [
        Parameter("a", start=(0.0, 20.0), description="log of the rate at one parameter"),
        Parameter("b", start=(-2.0, 0.0), description="exponent of parameters"),
        Parameter("c", start=(-1.0, 1.0), description="exponent of experts"),
    ],
    [
        Variable("N", "parameters", "active parameters without embeddings", span=(2e7, 2.7e9)),
        Variable("E", "experts", "experts; 1 for dense", levels=(1.0, 2.0, 4.0, 8.0, 16.0, 32.0)),
    ],
    name="joint-moe-learning-rate",
    target="learning_rate",
    source=Source(_JOINT, "2502.05172", "eq. 8", 2025),
    published=[
        Published(
            "ludziejewski2025",
            {"a": 8.39, "b": -0.81, "c": -0.25},
            "eq. 8",
            "N as a plain count; the best peak learning rate",
        )
    ],
    protocol="Straight line in logarithms through runs of 1 and 8 experts; 4 and 32 predicted.",
    notes="More experts want a smaller rate.",
)

_UPCYCLING = "Scaling Laws for Upcycling Mixture-of-Experts Language Models"

UPCYCLING = Law(
    "A * D1**-alpha1 * D2**(-alpha2 + alpha3 * log(D1)) + E",
    [
        Parameter("A", "log", start=(1.0, 1e6), description="scale"),
        Parameter("alpha1", start=(0.0, 1.0), description="exponent of dense tokens"),
        Parameter("alpha2", start=(0.0, 1.0), description="exponent of upcycled tokens"),
        Parameter("alpha3", start=(0.0, 0.05), description="interaction of the two"),
        Parameter("E", "log", start=(0.3, 3.0), description="irreducible loss, nats per token"),
    ],
    [
        Variable("D1", "tokens", "tokens the dense model was trained on", span=(5e8, 1e11)),
        Variable("D2", "tokens", "tokens after upcycling", span=(5e8, 1e11)),
    ],
    name="upcycling",
    source=Source(_UPCYCLING, "2502.03009", "the joint law of D1 and D2", 2025),
    example={"A": 2e4, "alpha1": 0.3, "alpha2": 0.35, "alpha3": 0.01, "E": 1.8},
    protocol="Forms compared by leave-one-out error; data and notebooks are public "
    "(sbintuitions/sparse-upcycling-scaling-laws), not read here.",
    notes="The interaction is the point: the longer the dense model was trained, the less upcycled "
    "tokens bring. Of one model size and one number of experts. A review confirms the product with "
    "interaction; the coefficients could not be read, those of the example are ours. A, alpha1 and "
    "alpha2 are nearly collinear with alpha3 unless D1 and D2 span decades.",
    verified=False,
)

UPCYCLING_SPARSITY = Law(
    "A * P**-alpha * N**(-beta + gamma * log(P)) + E",
    [
        Parameter("A", "log", start=(1.0, 1e6), description="scale"),
        Parameter("alpha", start=(0.0, 2.0), description="exponent of sparsity"),
        Parameter("beta", start=(0.0, 1.0), description="exponent of active parameters"),
        Parameter("gamma", start=(-0.1, 0.1), description="interaction of the two"),
        Parameter("E", "log", start=(0.3, 3.0), description="irreducible loss, nats per token"),
    ],
    [
        Variable("P", "", "all parameters over active ones", levels=(1.2, 1.5, 2.0, 3.0, 5.0, 8.0)),
        Variable("N", "parameters", "active parameters", span=(1e7, 1e9)),
    ],
    name="upcycling-sparsity",
    source=Source(_UPCYCLING, "2502.03009", "the law of sparsity and active parameters", 2025),
    example={"A": 300.0, "alpha": 0.2, "beta": 0.28, "gamma": 0.005, "E": 1.8},
    protocol="As upcycling; tokens fixed.",
    notes="That the interaction is written like this could not be checked; coefficients are ours.",
    verified=False,
)

AVERAGE_COUNT = Law(
    "E + A / N_avg**alpha + B / D**beta",
    [
        Parameter("E", "log", start=(0.3, 3.0), description="irreducible loss, nats per token"),
        Parameter("A", "log", start=(1.0, 7.2e10), description="scale of the parameter term"),
        Parameter("alpha", start=(0.0, 2.0), description="exponent of the parameter term"),
        Parameter("B", "log", start=(1.0, 7.2e10), description="scale of the data term"),
        Parameter("beta", start=(0.0, 2.0), description="exponent of the data term"),
    ],
    [
        Variable(
            "N_avg",
            "parameters",
            "parameters averaged over training: the integral of N(t) over its length",
            span=(5e7, 1.1e9),
        ),
        Variable("D", "tokens", "training tokens", span=(1e9, 5e10)),
    ],
    name="average-parameters",
    source=Source(
        "The Journey Matters: Average Parameter Count over Pre-training Unifies Sparse and Dense "
        "Scaling Laws",
        "2501.12486",
        "Chinchilla's form with the average count; abstract",
        2025,
    ),
    example={"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28},
    protocol="80 pruning schedules, dense and sparse runs fitted together; details not read.",
    notes="Pruning that starts at 25 % of the compute and ends at 75 % was near the best. Compute "
    "is about 6 N_avg D. The paper's coefficients could not be read; the example has those "
    "of Hoffmann et al. (2203.15556).",
    verified=False,
)

P2 = Law(
    "L_0 + (1 / rho)**gamma * (1 / N_0)**delta * (N_C / N_0**alpha + D_C / D**beta + E)",
    [
        Parameter("gamma", start=(-3.0, 3.0), description="exponent of the pruning rate"),
        Parameter("delta", start=(-1.0, 1.0), description="exponent of the size, all terms"),
        Parameter("N_C", start=(-2.0, 5.0), description="scale of the size term; either sign"),
        Parameter("alpha", start=(0.05, 2.0), description="exponent of the size term"),
        Parameter("D_C", start=(0.0, 5.0), description="scale of the token term; either sign"),
        Parameter("beta", start=(0.05, 1.5), description="exponent of tokens"),
        Parameter("E", start=(-2.0, 2.0), description="what is never recovered; either sign"),
    ],
    [
        Variable("L_0", "nats per token", "loss before pruning", span=(1.8, 2.8)),
        Variable("rho", "", "pruning rate", levels=(0.15, 0.25, 0.35)),
        Variable("N_0", "1e9 parameters", "size before pruning, billions", span=(0.5, 8.0)),
        Variable("D", "1e9 tokens", "tokens of training after pruning, billions", span=(0.05, 1.5)),
    ],
    name="p2-pruning",
    source=Source(
        "P^2 Law: Scaling Law for Post-Training After Model Pruning",
        "2411.10272",
        "the chosen candidate L_1",
        2024,
    ),
    example={
        "gamma": -1.0,
        "delta": 0.1,
        "N_C": 0.6,
        "alpha": 0.4,
        "D_C": 0.5,
        "beta": 0.4,
        "E": 0.3,
    },
    protocol="Candidates compared by the average difference of the slopes of fitted and measured "
    "curves, beside the fitting error; held out: the last 20 % of checkpoints, the "
    "largest size, or the highest rate.",
    notes="Form confirmed by a published summary; coefficients could not be read, those of the "
    "example are ours, with N_0 and D in billions (a unit changes N_C, D_C and the scale of all). "
    "N_C, alpha, delta and E trade off over the fewfold range of sizes in the paper.",
    verified=False,
)

LAWS: tuple[Law, ...] = (
    ROUTED,
    ROUTED_FLOPS,
    FINE_GRAINED,
    SPARSITY,
    SPARSE_FOUNDATION,
    JOINT,
    JOINT_RATE,
    UPCYCLING,
    UPCYCLING_SPARSITY,
    AVERAGE_COUNT,
    P2,
)
