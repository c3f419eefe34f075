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

LAWS: tuple[Law, ...] = (CHINCHILLA, KAPLAN, POWER_LAW)
