"""Laws of training recipes: estimates across families, translation, reinforcement, fine-tuning."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

# --- estimates from other families -----------------------------------------------------------

_HITCHHIKER = "A Hitchhiker's Guide to Scaling Law Estimation"
_FAMILY = [
    Variable("N", "parameters", "model parameters", span=(7e7, 7e10)),
    Variable("D", "tokens", "tokens seen, at checkpoints along the runs too", span=(1e10, 3e12)),
]
_LOGS = [
    Parameter("e", start=(-1.0, 1.5), description="logarithm of the irreducible loss"),
    Parameter("a", start=(0.0, 25.0), description="logarithm of the parameter term's scale"),
    Parameter("b", start=(0.0, 25.0), description="logarithm of the data term's scale"),
]

FAMILY = Law(
    "exp(e) + exp(a) / N**alpha + exp(b) / D**beta",
    [
        *_LOGS,
        Parameter(
            "alpha", bounds=(0.0, 5.0), start=(0.0, 2.0), description="exponent of parameters"
        ),
        Parameter("beta", bounds=(0.0, 5.0), start=(0.0, 2.0), description="exponent of tokens"),
    ],
    _FAMILY,
    name="model-family",
    source=Source(
        _HITCHHIKER, "2410.11840", "the form of Chinchilla, in logarithms (repository)", 2024
    ),
    protocol="Least squares on the loss itself from one start (the published set), exponents "
    "above 0; checkpoints below 1e10 tokens dropped; judged by the mean relative error on the last "
    "30 % of the largest model's run.",
    published=[
        Published(
            "choshen2024-start",
            {
                "e": 0.6254804,
                "a": 6.255414,
                "b": 7.3049974,
                "alpha": 0.3526596,
                "beta": 0.3526596,
            },
            "start of every fit in the authors' repository (IBM/ColPret, fitting_funcs.py)",
            "N all parameters, D tokens, loss in nats per token",
            "a fit to other data: the optimum of the data-constrained models of Muennighoff et al.",
        )
    ],
    notes="To estimate a new family from one model, hold a and alpha at those of another family "
    "and fit e, b and beta: fixed={...}. One model leaves e and a inseparable.",
)

FAMILY_TIED = Law(
    "exp(e) + exp(a) / N**(0.0116280 + 0.05004588 * a) + exp(b) / D**(0.23710262 + 0.03844353 * b)",
    _LOGS,
    _FAMILY,
    name="model-family-tied",
    source=Source(_HITCHHIKER, "2410.11840", "repository, manual_chinchilla_power_law_fit", 2024),
    protocol="As model-family, from the same start; the four constants are a regression of fitted "
    "exponents on fitted scales over families.",
    example={"e": 0.6254804, "a": 6.255414, "b": 7.3049974},
    notes="Three parameters: each exponent is a line in the logarithm of its scale. An experiment "
    "of the authors' repository. It has also a version with three principal components, and a "
    "product E A N**-alpha B D**-beta, in which E, A and B are one parameter.",
)

# --- multilingual translation ----------------------------------------------------------------

_TRANSLATION = "Scaling Laws for Multilingual Neural Machine Translation"
_NMT_N = Variable("N", "parameters", "parameters without embeddings", span=(2e7, 1e9))
_NMT = [
    Parameter("alpha", bounds=(0.0, 3.0), start=(0.05, 1.0), description="exponent, for any p"),
    Parameter("L_inf", "log", start=(0.2, 3.0), description="irreducible loss, for any p"),
]

SHARE = Law(
    "beta_1 * ((p + c_1 * p**c_2 * (1 - p)**c_3) * N)**-alpha + L_inf",
    [
        Parameter("beta_1", "log", start=(1.0, 1e6), description="scale with this pair alone"),
        *_NMT,
        Parameter("c_1", "log", start=(0.01, 3.0), description="gain from sharing"),
        Parameter("c_2", bounds=(0.0, 5.0), start=(0.1, 2.0), description="shape at small p"),
        Parameter("c_3", bounds=(0.0, 5.0), start=(0.1, 2.0), description="shape at large p"),
    ],
    [
        _NMT_N,
        Variable(
            "p",
            "",
            "sampling weight of the pair",
            levels=(0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 1.0),
        ),
    ],
    name="translation-share",
    source=Source(_TRANSLATION, "2302.09650", "eq. 11 and 12", 2023),
    protocol="Eight sizes and nine weights, trained near convergence on abundant data; one fit "
    "over all of them.",
    example={
        "beta_1": 400.0,
        "alpha": 0.35,
        "L_inf": 1.0,
        "c_1": 0.3,
        "c_2": 0.6,
        "c_3": 1.0,
    },
    notes="f(p) = p + c_1 p**c_2 (1 - p)**c_3 is the share of the parameters that works for the "
    "pair, whatever N: f(1) = 1. Out of English f is close to p, into English it is above. No "
    "coefficients are printed; those of the example are ours; rows with p = 1 hold "
    "beta_1.",
)

WEIGHTS = Law(
    "beta[weight] * N**-alpha + L_inf",
    [
        Parameter("beta", "log", start=(1.0, 1e6), description="scale, one per weight"),
        *_NMT,
    ],
    [
        _NMT_N,
        Variable("weight", "percent", "sampling weight", levels=("10", "50", "90", "100")),
    ],
    name="translation-weights",
    source=Source(_TRANSLATION, "2302.09650", "eq. 7", 2023),
    protocol="Least squares over all weights, exponent and floor in common.",
    example={
        "beta[10]": 720.0,
        "beta[50]": 480.0,
        "beta[90]": 410.0,
        "beta[100]": 400.0,
        "alpha": 0.35,
        "L_inf": 1.0,
    },
    notes="One set per language pair; exponent and floor are those of any weight. The "
    "effective share of the parameters is (beta[100] / beta[p])**(1 / alpha) (eq. 10). No "
    "coefficients are printed; those of the example are ours.",
)

# --- reinforcement learning ------------------------------------------------------------------

_RL = (
    "Scaling Behaviors of LLM Reinforcement Learning Post-Training: An Empirical Study in "
    "Mathematical Reasoning"
)
_SIZES = (0.5e9, 1.5e9, 3e9, 7e9, 14e9, 32e9, 72e9)
_RL_N = Variable("N", "parameters", "size of the base model (Qwen2.5)", levels=_SIZES)
_RL_C = Variable("X", "FLOP", "compute of post-training, or samples seen", span=(1e19, 1e22))
_EFFICIENCY = [
    Parameter(
        "K_max", bounds=(0.0, 2.0), start=(0.02, 0.5), description="slope of the largest models"
    ),
    Parameter("N_0", "log", start=(1e9, 1e11), description="parameters at half of that slope"),
]
_CMA = (
    "CMA-ES, 5 trials, on log10 of the error with equal weight per size; K_max in 0 to 2, N_0 in "
    "1e8 to 1e11."
)

EFFICIENCY = Law(
    "10**(-K_max / (1 + N_0 / N) * log10(X) + E_max * N / (N + N_1))",
    [
        *_EFFICIENCY,
        Parameter(
            "E_max", bounds=(-10.0, 10.0), start=(0.5, 5.0), description="intercept of large models"
        ),
        Parameter("N_1", "log", start=(1e9, 1e11), description="parameters at half of that"),
    ],
    [_RL_N, _RL_C],
    name="rl-post-training",
    target="error",
    source=Source(_RL, "2509.25300", "repository, loglinear_kn_e0", 2025),
    protocol=_CMA,
    example={"K_max": 0.133, "N_0": 1.378e10, "E_max": 2.28, "N_1": 1.46e10},
    notes="error = 1 - pass@1 on held-out problems. The slope against log X saturates in N, so "
    "does the intercept: this form extrapolates in N, that with one intercept per size does not. "
    "The example follows the seven printed intercepts of the base models; it is ours.",
)

PIVOT = Law(
    "(C_0 * N**r / X)**(k_max * N / (N + N_0))",
    [
        Parameter("C_0", "log", start=(1.0, 1e14), description="pivot compute at one parameter"),
        Parameter("r", bounds=(0.0, 4.0), start=(0.3, 2.0), description="its exponent in N"),
        Parameter(
            "k_max", bounds=(1e-3, 1.0), start=(0.02, 0.5), description="slope of large models"
        ),
        Parameter("N_0", "log", start=(1e9, 1e12), description="parameters at half of that slope"),
    ],
    [_RL_N, _RL_C],
    name="rl-post-training-pivot",
    target="error",
    source=Source(_RL, "2509.25300", "repository, powlawmul", 2025),
    protocol="As rl-post-training.",
    example={"C_0": 1e8, "r": 1.0, "k_max": 0.12, "N_0": 1.5e10},
    notes="An alternative of the authors' repository: error 1 at X = C_0 N**r, with a slope that "
    "saturates in N. r and C_0 are known through sizes with a clear slope only.",
)

_SIZE_NAMES = ("0.5B", "1.5B", "3B", "7B", "14B", "32B", "72B")
_E = tuple(f"E[{size}]" for size in _SIZE_NAMES)
_RL_WHERE = "repository, scripts/outputs/fits_exp1.json"
_RL_UNITS = "X {}, error = 1 - pass@1 on held-out problems, logarithms to base 10"


_SIZE = Variable("size", "", "the model, as text", levels=_SIZE_NAMES)
EFFICIENCY_SIZES = Law(
    "10**(-K_max / (1 + N_0 / N) * log10(X) + E[size])",
    [
        *_EFFICIENCY,
        Parameter("E", bounds=(-10.0, 10.0), start=(0.0, 2.0), description="intercept"),
    ],
    [_RL_N, _SIZE, _RL_C],
    name="rl-post-training-by-size",
    target="error",
    source=Source(_RL, "2509.25300", "log L = -k(N) log X + E(N), k(N) saturating", 2025),
    protocol=_CMA,
    published=[
        Published(
            "tan2025-base-compute",
            {
                "K_max": 0.13304186850061026,
                "N_0": 13781599883.267672,
                **dict(
                    zip(
                        _E,
                        (
                            0.06402735773863455,
                            0.20742131526390395,
                            0.37406561965445384,
                            0.7044669489662159,
                            1.0848158157238093,
                            1.5358830754216175,
                            1.8957451209901102,
                        ),
                        strict=True,
                    )
                ),
            },
            _RL_WHERE,
            _RL_UNITS.format("FLOPs"),
            "R2 0.9955, 732 points, base models",
        ),
        Published(
            "tan2025-base-data",
            {
                "K_max": 0.13995590993298102,
                "N_0": 13002965268.771812,
                **dict(
                    zip(
                        _E,
                        (
                            0.004045907594509401,
                            0.03086271421244291,
                            0.04766048363035935,
                            0.07129731599313516,
                            0.11463460755928345,
                            0.15351841225660223,
                            0.18486149228466253,
                        ),
                        strict=True,
                    )
                ),
            },
            _RL_WHERE,
            _RL_UNITS.format("samples seen"),
            "R2 0.9958, 732 points, base models",
        ),
        Published(
            "tan2025-instruct-compute",
            {
                "K_max": 0.12941550732302903,
                "N_0": 19069280489.603394,
                **dict(
                    zip(
                        _E,
                        (
                            0.03484697801275871,
                            0.12888469751557707,
                            0.24427973195358987,
                            0.493648237112863,
                            0.8163342406668228,
                            1.2621444529128123,
                            1.6910059179318395,
                        ),
                        strict=True,
                    )
                ),
            },
            _RL_WHERE,
            _RL_UNITS.format("FLOPs"),
            "R2 0.9963, 703 points, instruction-tuned models, first 4 points of each cut",
        ),
        Published(
            "tan2025-instruct-data",
            {
                "K_max": 0.14378831829679464,
                "N_0": 19972075159.091267,
                **dict(
                    zip(
                        _E,
                        (
                            -0.008333400168341498,
                            0.0008497062044998671,
                            -0.0003147840128434609,
                            -0.0014656987594214854,
                            0.021533801485889015,
                            0.06318952753285956,
                            0.13863199770732137,
                        ),
                        strict=True,
                    )
                ),
            },
            _RL_WHERE,
            _RL_UNITS.format("samples seen"),
            "R2 0.9964, 703 points, instruction-tuned models, first 4 points of each cut",
        ),
    ],
    notes="One intercept per size: it says nothing of other sizes; simulated runs draw N and size "
    "apart. The source's "
    "extrapolation to 72B fits K_max and N_0 up to 32B and the intercept of 72B to 72B's "
    "own runs.",
)

FLOOR_SIZES = Law(
    "((N_0 / N)**beta + B_0[size] / (X + C_0[size]))**alpha",
    [
        Parameter("N_0", "log", (2e8, 5e8), (2e8, 5e8), "parameters at error 1"),
        Parameter("beta", "identity", (0.8, 1.8), (0.8, 1.8), "exponent of parameters"),
        Parameter("alpha", "identity", (0.1, 0.3), (0.1, 0.3), "outer exponent"),
        Parameter("B_0", "log", start=(1e2, 1e6), description="scale of the samples"),
        Parameter("C_0", "log", start=(1e3, 1e6), description="offset of the samples"),
    ],
    [
        Variable("N", "parameters", "size of the base model (Qwen2.5)", levels=_SIZES[1:]),
        Variable("size", "", "the model, as text", levels=_SIZE_NAMES[1:]),
        Variable("X", "samples", "samples seen", span=(500.0, 54e3)),
    ],
    name="rl-post-training-floor",
    target="error",
    source=Source(_RL, "2509.25300", "repository, postopenai_lookup", 2025),
    protocol=_CMA.replace("; K_max in 0 to 2, N_0 in 1e8 to 1e11", ""),
    published=[
        Published(
            "tan2025-instruct-data",
            {
                "N_0": 499999998.90794224,
                "beta": 1.0891723742071988,
                "alpha": 0.19811442083807074,
                "B_0[1.5B]": 134654.508026071,
                "B_0[3B]": 41373.28418771254,
                "B_0[7B]": 4782.961559629775,
                "B_0[14B]": 1634.6561178246986,
                "B_0[32B]": 337.99171441658245,
                "B_0[72B]": 341.3312527027573,
                "C_0[1.5B]": 412176.1256608177,
                "C_0[3B]": 142838.36717500907,
                "C_0[7B]": 27170.316357617237,
                "C_0[14B]": 19153.495070661633,
                "C_0[32B]": 4333.039254146346,
                "C_0[72B]": 4928.635278833221,
            },
            "repository, scripts/outputs/fits_exp1_postopenai.json",
            _RL_UNITS.format("samples seen"),
            "R2 0.9951, 626 points, instruction-tuned models from 1.5B; N_0 stands at the "
            "upper bound 5e8 of the code",
        )
    ],
    notes="A floor in N that the logarithmic form lacks. The published set has no "
    "coefficients for 0.5B. Simulated runs draw N and size apart.",
)

# --- fine-tuning and distillation ------------------------------------------------------------

TRAJECTORIES = Law(
    "a + b * log(D)",
    [
        Parameter("a", start=(-1.0, 1.0), description="rate at one trajectory"),
        Parameter("b", start=(0.0, 0.2), description="gain per unit of log D"),
    ],
    [Variable("D", "trajectories", "training trajectories", span=(500, 8000))],
    name="agent-trajectories",
    target="resolve_rate",
    source=Source(
        "Skywork-SWE: Unveiling Data Scaling Laws for Software Engineering in LLMs",
        "2506.19290",
        "data scaling (abstract: no sign of saturation)",
        2025,
    ),
    protocol="A line in log D through a few sizes of the training set.",
    example={"a": 0.02, "b": 0.04},
    notes="The rate is bounded by 1; over one decade the data cannot tell a line from a power law "
    "with a ceiling, and 500 tasks give an error of 0.02 on each rate. The abstract has 0.38 with "
    "over 8,000 trajectories; the line's coefficients are not printed where we could look, those "
    "of the example are ours, and the form is quoted by a third party only.",
    verified=False,
)

_SAIL = "Scalable Vision Language Model Training via High Quality Data Curation"
_SAIL_D = Variable("D", "tokens", "training tokens", span=(1e9, 1.31e11))

CURATION_LOG = Law(
    "a + b * log(D)",
    [
        Parameter("a", start=(-2.0, 1.0), description="score at one token"),
        Parameter("b", start=(0.0, 0.2), description="gain per unit of log D"),
    ],
    [_SAIL_D],
    name="curation-logarithmic",
    target="score",
    source=Source(_SAIL, "2501.05952", "data scaling (abstract: logarithmic)", 2025),
    protocol="Trends of average scores against data size in models of 2e9 parameters.",
    example={"a": -0.2, "b": 0.03},
    notes="No coefficients were found; those of the example are ours.",
)

CURATION_LINEAR = Law(
    "a + b * D",
    [
        Parameter("a", start=(0.0, 1.0), description="score without data"),
        Parameter("b", start=(0.0, 1e-11), description="gain per token"),
    ],
    [_SAIL_D],
    name="curation-linear",
    target="score",
    source=Source(_SAIL, "2501.05952", "data scaling (first abstract: near-linear)", 2025),
    protocol="As curation-logarithmic.",
    example={"a": 0.5, "b": 1e-12},
    notes="What the first abstract says of data of higher quality, against curation-logarithmic "
    "for the rest. No coefficients were found; those of the example are ours.",
)

DISTILLED = Law(
    "E + A / N**alpha + B / D**beta",
    [
        Parameter("E", "log", start=(0.3, 3.0), description="irreducible loss, nats per token"),
        Parameter("A", "log", start=(1.0, 1e8), description="scale of the parameter term"),
        Parameter("alpha", start=(0.05, 1.5), description="exponent of parameters"),
        Parameter("B", "log", start=(1.0, 1e8), description="scale of the data term"),
        Parameter("beta", start=(0.05, 1.5), description="exponent of tokens"),
    ],
    [
        Variable("N", "parameters", "student's parameters", levels=(2e8, 5e8, 1.2e9)),
        Variable("D", "tokens", "training tokens", span=(2e9, 5e10)),
    ],
    name="distilled-pretraining",
    source=Source(
        "MiniPLM: Knowledge Distillation for Pre-Training Language Models",
        "2410.17215",
        "extrapolated scaling curves",
        2024,
    ),
    protocol="One fit per recipe, then losses at the budgets of published models.",
    example={"E": 1.8, "A": 400.0, "alpha": 0.34, "B": 1000.0, "beta": 0.3},
    notes="Fit it to each recipe and compare the losses at a budget, not the coefficients. That "
    "the source uses this form could not be checked; the coefficients of the example are ours. "
    "Three sizes leave E, A and alpha at the mercy of noise.",
    verified=False,
)

LAWS: tuple[Law, ...] = (
    FAMILY,
    FAMILY_TIED,
    SHARE,
    WEIGHTS,
    EFFICIENCY,
    EFFICIENCY_SIZES,
    PIVOT,
    FLOOR_SIZES,
    TRAJECTORIES,
    CURATION_LOG,
    CURATION_LINEAR,
    DISTILLED,
)
