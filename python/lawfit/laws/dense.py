"""Laws of dense pretraining: loss against parameters, tokens and compute."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

_N = Variable(
    "N",
    "parameters",
    "model parameters, embeddings included unless a set says otherwise",
    span=(5e7, 2e10),
)
_D = Variable("D", "tokens", "training tokens", span=(1e9, 1e12))

CHINCHILLA = Law(
    "E + A / N**alpha + B / D**beta",
    [
        Parameter("E", "log", start=(0.3, 3.0), description="irreducible loss, nats per token"),
        Parameter("A", "log", start=(1.0, 7.2e10), description="scale of the parameter term"),
        Parameter("alpha", start=(0.0, 2.0), description="exponent of the parameter term"),
        Parameter("B", "log", start=(1.0, 7.2e10), description="scale of the data term"),
        Parameter("beta", start=(0.0, 2.0), description="exponent of the data term"),
    ],
    [_N, _D],
    name="chinchilla",
    source=Source(
        "Training Compute-Optimal Large Language Models",
        "2203.15556",
        "eq. 2 and 10 (section 3.3, appendix D.2)",
        2022,
    ),
    protocol="hoffmann2022: sum of Huber(1e-3) on log loss, L-BFGS from 4,500 starts.",
    published=[
        Published(
            "hoffmann2022",
            {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28},
            "eq. 10",
            "N total parameters with embeddings, D tokens, loss in nats per token",
            "rounded in the paper so far that predictions are biased; see hoffmann2022-tex",
        ),
        Published(
            "hoffmann2022-tex",
            {
                "E": 1.693374,
                "A": 406.4010,
                "B": 410.7228,
                "alpha": 0.33917084,
                "beta": 0.2849083,
            },
            "comment in the TeX source after eq. 10, reported by Besiroglu et al. (2404.10102)",
            "as hoffmann2022",
            "the optimiser had stopped early, on the mean instead of the sum of the loss",
        ),
        Published(
            "besiroglu2024",
            {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
            "Besiroglu et al., Chinchilla Scaling: A replication attempt (2404.10102), eq. 3, "
            "table 1",
            "as hoffmann2022, on 240 points read off a figure",
            "the maximum of a Huber likelihood with a fitted scale, except E, which at that "
            "maximum is 1.8169",
        ),
    ],
)

KAPLAN = Law(
    "((N_c / N)**(alpha_N / alpha_D) + D_c / D)**alpha_D",
    [
        Parameter("N_c", "log", start=(1e10, 1e17), description="parameters, non-embedding"),
        Parameter("alpha_N", start=(0.02, 0.5), description="exponent in parameters"),
        Parameter(
            "alpha_D", bounds=(1e-6, 10.0), start=(0.02, 0.5), description="exponent in tokens"
        ),
        Parameter("D_c", "log", start=(1e10, 1e17), description="tokens"),
    ],
    [
        Variable("N", "parameters", "model parameters without embeddings", span=(1e3, 1.5e9)),
        Variable("D", "tokens", "training tokens", span=(2e7, 2.3e10)),
    ],
    name="kaplan",
    source=Source("Scaling Laws for Neural Language Models", "2001.08361", "eq. 1.5 and 4.1", 2020),
    published=[
        Published(
            "kaplan2020",
            {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
            "table 2",
            "N without embeddings, D tokens, loss in nats per token",
            "the single-variable fits (eq. 1.1, 1.2: N_c 8.8e13, D_c 5.4e13, exponents 0.076 and "
            "0.095) are another set on purpose",
        )
    ],
    protocol="Curve fits to the logarithm of the loss; no starts or errors are reported.",
    notes="No irreducible term: the loss goes to zero with N and D.",
)

POWER_LAW = Law(
    "E + A / x**alpha",
    [
        Parameter("E", "log", start=(0.1, 5.0), description="irreducible loss"),
        Parameter("A", "log", start=(1.0, 7.2e10), description="scale, x_0**alpha in the source"),
        Parameter("alpha", start=(0.0, 2.0), description="exponent"),
    ],
    [Variable("x", "", "parameters, tokens, compute or any other resource", span=(1e4, 1e9))],
    name="power-law",
    source=Source(
        "Scaling Laws for Autoregressive Generative Modeling", "2010.14701", "eq. 1.1", 2020
    ),
    published=[
        Published(
            "henighan2020-image-32x32",
            {"E": 2.20, "A": 63.0**0.13, "alpha": 0.13},
            "table 1, L(N), image 32x32: 2.20 + (N / 6.3e1)**-0.13",
            "x: parameters without embeddings, loss in nats per token",
            "read from one source only",
        ),
    ],
    notes="The source writes L_inf + (x_0 / x)**alpha; A = x_0**alpha. An earlier form with the "
    "exponent's sign reversed: Hestness et al. (1712.00409).",
)

_HESTNESS = "Deep Learning Scaling is Predictable, Empirically"
_HESTNESS_FIT = (
    "The best model of a search for each shard of the data, then a line in logarithms; the regions "
    "of small data and of irreducible error are left out."
)

HESTNESS = Law(
    "alpha * m**beta_g + gamma",
    [
        Parameter("alpha", "log", start=(0.1, 1e3), description="error at one example"),
        Parameter("beta_g", bounds=(-5.0, 0.0), start=(-1.0, -0.01), description="exponent"),
        Parameter("gamma", bounds=(0.0, 1e3), start=(0.0, 1.0), description="irreducible error"),
    ],
    [Variable("m", "examples", "size of the training set; words for language", span=(1e6, 1e9))],
    name="hestness-error",
    target="error",
    source=Source(_HESTNESS, "1712.00409", "section 2, eq. 1", 2017),
    published=[
        Published(
            "word-language-model",
            {"alpha": 11.9, "beta_g": -0.066, "gamma": 0.0},
            "section 4.2",
            "m in words, cross-entropy in nats per word",
            "without an irreducible term",
        )
    ],
    protocol=_HESTNESS_FIT,
    notes="Exponents beta_g elsewhere in the source: characters -.094, translation -.128, ImageNet "
    "top-1 -.309, top-5 -.488, speech -.299. The claim is that architectures change alpha and not "
    "beta_g: one exponent for all groups. Over one or two decades of m gamma is not identified; "
    "fix it at 0 as the source does.",
)

HESTNESS_SIZE = Law(
    "alpha * m**beta_p",
    [
        Parameter("alpha", "log", start=(1e-3, 1e6), description="parameters at one example"),
        Parameter("beta_p", start=(0.0, 1.5), description="exponent"),
    ],
    [Variable("m", "examples", "size of the training set; words for language", span=(1e6, 1e9))],
    name="hestness-optimal-parameters",
    target="s",
    source=Source(_HESTNESS, "1712.00409", "section 2, s(m)", 2017),
    example={"alpha": 10.0, "beta_p": 0.69},
    protocol=_HESTNESS_FIT,
    notes="Smallest model that fits a training set best. Exponents beta_p: words .69 and .78, "
    "characters .78 and .92, ImageNet .573; the scales were not found, the example's is ours.",
)

LAWS: tuple[Law, ...] = (CHINCHILLA, KAPLAN, POWER_LAW, HESTNESS, HESTNESS_SIZE)
