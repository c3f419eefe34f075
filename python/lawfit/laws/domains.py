"""Laws of other domains than text: translation, images, video, recommendation, proteins, brains."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

# --- autoregressive models of images, video, mathematics and text ----------------------------

_HENIGHAN = "Scaling Laws for Autoregressive Generative Modeling"
_PF = "compute 6 N E without embeddings"

# Table 1 by domain: L_inf, x_0 and exponent of L(N) and of L(C), x_0 and exponent of N_opt(C).
_SIZE = {
    "language": (0.0, 1.47e14, 0.070),
    "image-8x8": (3.12, 8.0e1, 0.24),
    "image-16x16": (2.64, 2.8e2, 0.22),
    "image-32x32": (2.20, 6.3e1, 0.13),
    "image-vq-16x16": (3.99, 2.7e4, 0.13),
    "image-vq-32x32": (3.07, 1.9e4, 0.14),
    "text-to-image-text": (0.0, 5.6e8, 0.037),
    "text-to-image-image": (2.0, 5.1e3, 0.16),
    "image-to-text-text": (0.0, 7.0e8, 0.039),
    "image-to-text-image": (2.0, 5.5e3, 0.15),
    "video-vq-16x16x16": (1.01, 3.7e4, 0.24),
    "math-extrapolate": (0.28, 1.1e4, 0.16),
}
_COMPUTE = {
    "language": (0.0, 3.47e8, 0.048),
    "image-8x8": (3.13, 1.8e-8, 0.19),
    "image-16x16": (2.64, 1.6e-8, 0.16),
    "image-32x32": (2.21, 3.6e-9, 0.1),
    "image-vq-16x16": (4.09, 6.1e-7, 0.11),
    "image-vq-32x32": (3.17, 2.6e-6, 0.12),
    "text-to-image": (1.93, 1.5e-6, 0.15),
    "image-to-text": (1.97, 1.5e-6, 0.16),
    "video-vq-16x16x16": (0.95, 2.2e-5, 0.14),
    "math-extrapolate": (0.14, 1.4e-5, 0.17),
}
_OPTIMUM = {
    "language": (3.3e-13, 0.73),
    "image-8x8": (5.3e-14, 0.64),
    "image-16x16": (4.8e-12, 0.75),
    "image-32x32": (1.6e-13, 0.65),
    "image-vq-16x16": (6.2e-14, 0.64),
    "image-vq-32x32": (9.4e-13, 0.7),
    "text-to-image": (9.4e-13, 0.7),
    "image-to-text": (3.3e-12, 0.72),
    "video-vq-16x16x16": (1.13e-12, 0.71),
    "math-extrapolate": (2.3e-12, 0.69),
}
_NOTE = {"language": "after Brown et al. 2020 and Kaplan et al. 2020, no irreducible loss found"}
_IRREDUCIBLE = Parameter(
    "L_inf", bounds=(0.0, 100.0), start=(0.0, 4.0), description="irreducible loss, nats per token"
)
_EXPONENT = Parameter("alpha", bounds=(0.0, 3.0), start=(0.02, 0.4), description="exponent")

# The example comes first: a domain whose three coefficients all matter.
_ORDER = ("image-8x8", *(d for d in _SIZE if d != "image-8x8"))

HENIGHAN_SIZE = Law(
    "L_inf + (N_0 / N)**alpha",
    [
        _IRREDUCIBLE,
        Parameter("N_0", "log", start=(1.0, 1e15), description="parameters of reducible loss 1"),
        _EXPONENT,
    ],
    [Variable("N", "parameters", "model parameters without embeddings", span=(1e4, 3e9))],
    name="henighan-parameters",
    source=Source(_HENIGHAN, "2010.14701", "eq. 1.1 and table 1, L(N)", 2020),
    published=[
        Published(
            domain,
            dict(zip(("L_inf", "N_0", "alpha"), _SIZE[domain], strict=True)),
            "table 1, column L(N)",
            "N without embeddings, nats per token",
            _NOTE.get(domain, ""),
        )
        for domain in _ORDER
    ],
    protocol="Least squares on models trained to convergence; power law plus constant.",
    notes="The power-law entry of the catalogue is the same with A = N_0**alpha.",
)

HENIGHAN_COMPUTE = Law(
    "L_inf + (C_0 / C)**alpha",
    [
        _IRREDUCIBLE,
        Parameter("C_0", "log", start=(1e-10, 1e9), description="PF-days of reducible loss 1"),
        _EXPONENT,
    ],
    [Variable("C", "PF-days", _PF, span=(1e-7, 1e2))],
    name="henighan-compute",
    source=Source(_HENIGHAN, "2010.14701", "eq. 1.1 and table 1, L(C)", 2020),
    published=[
        Published(
            domain,
            dict(zip(("L_inf", "C_0", "alpha"), _COMPUTE[domain], strict=True)),
            "table 1, column L(C)",
            "C in petaflop/s-days, nats per token",
            _NOTE.get(domain, ""),
        )
        for domain in ("image-8x8", *(d for d in _COMPUTE if d != "image-8x8"))
    ],
    protocol="Power law plus constant below the frontier of loss against compute.",
    notes="1 PF-day = 8.64e19 FLOPs. Not corrected for the critical batch size.",
)

HENIGHAN_OPTIMUM = Law(
    "(C / C_0)**beta",
    [
        Parameter("C_0", "log", start=(1e-15, 1e-9), description="PF-days of one parameter"),
        Parameter("beta", start=(0.3, 1.0), description="exponent"),
    ],
    [Variable("C", "PF-days", _PF, span=(1e-7, 1e2))],
    name="henighan-optimal-parameters",
    target="N_opt",
    source=Source(_HENIGHAN, "2010.14701", "eq. 1.4 and table 1, N_opt(C)", 2020),
    published=[
        Published(
            domain,
            dict(zip(("C_0", "beta"), values, strict=True)),
            "table 1, column N_opt(C)",
            "C in petaflop/s-days, N without embeddings",
        )
        for domain, values in _OPTIMUM.items()
    ],
    protocol="A line in log-log through points on the convex hull of the frontier.",
    notes="About 0.7 in every domain; Hoffmann et al. 2022 find 0.5 for text.",
)

# --- translation -----------------------------------------------------------------------------

_NMT = "Scaling Laws for Neural Machine Translation"

TRANSLATION = Law(
    "alpha * (N_e0 / N_e)**p_e * (N_d0 / N_d)**p_d + L_inf",
    [
        Parameter("alpha", "log", start=(0.05, 3.0), description="reducible loss at N_e0, N_d0"),
        Parameter("p_e", start=(0.02, 0.6), description="exponent of the encoder"),
        Parameter("p_d", start=(0.02, 0.6), description="exponent of the decoder"),
        Parameter("L_inf", "log", start=(0.3, 2.5), description="irreducible loss, nats per token"),
    ],
    [
        Variable("N_e", "parameters", "encoder parameters without embeddings", span=(3e7, 1.5e9)),
        Variable("N_d", "parameters", "decoder parameters without embeddings", span=(3e7, 1.5e9)),
        Variable("N_e0", "parameters", "encoder of the reference model", levels=(2.5e8,)),
        Variable("N_d0", "parameters", "decoder of the reference model", levels=(3e8,)),
    ],
    name="translation",
    source=Source(_NMT, "2109.07740", "eq. 2", 2021),
    example={"alpha": 0.25, "p_e": 0.18, "p_d": 0.25, "L_inf": 1.1},
    protocol="Fitted jointly to models scaled in the encoder or in the decoder, tested on models "
    "scaled in both; seeds differ by 0.003.",
    notes="N_e0 and N_d0 are constants that only normalise alpha; their levels here are not the "
    "source's. At N_e + N_d fixed the best split is N_e : N_d = p_e : p_d. The abstract confirms a "
    "bivariate law with two exponents; the closed form was not seen in a second source.",
    verified=False,
)

TRANSLATION_BLEU = Law(
    "c_B * L**-p_B",
    [
        Parameter("c_B", "log", start=(10.0, 200.0), description="BLEU at a loss of 1"),
        Parameter("p_B", start=(0.1, 3.0), description="exponent"),
    ],
    [Variable("L", "nats per token", "test cross-entropy", span=(1.1, 2.2))],
    name="translation-bleu",
    target="bleu",
    source=Source(_NMT, "2109.07740", "section on BLEU", 2021),
    example={"c_B": 55.0, "p_B": 0.9},
    protocol="A line in log-log.",
    notes="For test sets that are natural on the target side; for the others BLEU saturates, and "
    "no law should be fitted. Form from one source only.",
    verified=False,
)

# --- images and text -------------------------------------------------------------------------

CLIP = Law(
    "beta * C**alpha",
    [
        Parameter("beta", "log", start=(0.5, 200.0), description="error at 1 GMAC"),
        Parameter("alpha", bounds=(-2.0, 0.0), start=(-0.4, -0.02), description="exponent"),
    ],
    [Variable("C", "GMACs", "multiply-adds of the whole pre-training", span=(2e10, 1e13))],
    name="clip",
    target="error",
    source=Source(
        "Reproducible scaling laws for contrastive language-image learning",
        "2212.07143",
        "section 4, E = beta C^alpha",
        2022,
    ),
    example={"beta": 5.6, "alpha": -0.11},
    protocol="A line in log-log through the Pareto-optimal models.",
    notes="Exponents printed, for models on LAION and on WIT: ImageNet zero-shot -0.11 and -0.16, "
    "its robustness sets -0.13 and -0.24, retrieval on MS-COCO -0.08 and -0.05, on Flickr30K -0.19 "
    "and -0.10. beta stands in figures only; the example puts ViT-g/14 after 34e9 samples near the "
    "predicted 20.9 %. Error is 1 - accuracy or 1 - recall.",
)

# --- time series, recommendation, proteins, diffusion ----------------------------------------

TIME_SERIES = Law(
    "(x_c / x)**alpha_x",
    [
        Parameter("x_c", "log", start=(1e-3, 1e12), description="where the loss is 1, unit of x"),
        Parameter("alpha_x", start=(0.01, 0.5), description="exponent"),
    ],
    [Variable("x", "", "parameters, compute or time points", span=(1e3, 1e8))],
    name="time-series",
    source=Source(
        "Towards Neural Scaling Laws for Time Series Foundation Models",
        "2410.12360",
        "laws in N, C and D",
        2024,
    ),
    example={"x_c": 1e5, "alpha_x": 0.08},
    protocol="Lines in log-log, apart for data in and out of distribution.",
    notes="The negative log-likelihood of a density can be below zero, where this form and log "
    "residuals fail. The form was not seen in a second source.",
    verified=False,
)

WUKONG = Law(
    "a + b * x**c",
    [
        Parameter("a", start=(-200.0, 0.0), description="offset, percent"),
        Parameter("b", start=(10.0, 300.0), description="scale, percent"),
        Parameter("c", bounds=(1e-6, 1.0), start=(1e-3, 0.1), description="exponent"),
    ],
    [Variable("x", "GFLOP", "compute per example", span=(0.5, 300.0))],
    name="wukong",
    target="gain",
    source=Source(
        "Wukong: Towards a Scaling Law for Large-Scale Recommendation",
        "2403.02545",
        "figure 1",
        2024,
    ),
    example={"a": -100.0, "b": 100.0, "c": 1e-3},
    protocol="Not described; residual='linear'.",
    notes="Relative improvement of log loss. With an exponent near zero this is a logarithm, "
    "a + b + b c log(x): only a + b and b c are identified, a, b and c are not. Use wukong-log. "
    "The form was not seen in a second source.",
    verified=False,
)

WUKONG_LOG = Law(
    "a + b * log(x)",
    [
        Parameter("a", start=(-1.0, 2.0), description="gain at 1 GFLOP, percent"),
        Parameter("b", start=(0.0, 1.0), description="gain per log GFLOP, percent"),
    ],
    [Variable("x", "GFLOP", "compute per example", span=(0.5, 300.0))],
    name="wukong-log",
    target="gain",
    source=WUKONG.source,
    example={"a": 0.0, "b": 0.1},
    protocol="residual='linear'.",
    notes="The limit of the wukong entry for small exponents, not printed in the source: the gain "
    "rises by about 0.1 percent with each multiple of the compute.",
    verified=False,
)

_PROTEIN = "Are Protein Language Models Compute Optimal?"
PROTEIN_N, PROTEIN_D = (
    Law(
        f"{a} * C**{b}",
        [
            Parameter(a, "log", start=(1e-12, 1e8), description="scale"),
            Parameter(b, start=(0.1, 0.95), description="exponent"),
        ],
        [Variable("C", "FLOP", "training compute", span=(1e17, 1e20))],
        name=name,
        target=target,
        source=Source(_PROTEIN, "2406.07249", "optimal size and tokens", 2024),
        example=example,
        protocol="Parabolas in log N per budget, then a line in log-log.",
        notes="Masked language models, several epochs over the data. The source finds that size "
        "grows less than linearly with compute; its coefficients could not be checked.",
        verified=False,
    )
    for name, target, a, b, example in (
        ("protein-optimal-parameters", "N_opt", "N_0", "a", {"N_0": 30.0, "a": 0.3}),
        ("protein-optimal-tokens", "D_opt", "D_0", "b", {"D_0": 5e-3, "b": 0.7}),
    )
)

_PLAID = "Likelihood-Based Diffusion Language Models"
PLAID_N, PLAID_L = (
    Law(
        "a * C**b",
        [
            Parameter("a", "log", start=start, description="scale"),
            Parameter("b", start=exponents, description="exponent"),
        ],
        [Variable("C", "FLOP", "budget", levels=tuple(1e16 * 4.0**i for i in range(6)))],
        name=name,
        target=target,
        source=Source(_PLAID, "2305.18619", "IsoFLOP analysis, section on scaling", 2023),
        example=example,
        protocol="Per budget a parabola of the loss in log N, its minimum; then a line in log-log, "
        "for diffusion and autoregressive models alike.",
        notes="The two families differ by a factor of compute, about 64 in the source (quoted by "
        "others). Wide parabolas are biased: compare with a fit of all runs.",
    )
    for name, target, start, exponents, example in (
        (
            "diffusion-lm-optimal-parameters",
            "N_opt",
            (1e-6, 1e4),
            (0.2, 0.9),
            {"a": 0.05, "b": 0.5},
        ),
        ("diffusion-lm-loss", "loss", (5.0, 500.0), (-0.2, 0.0), {"a": 60.0, "b": -0.06}),
    )
)

# --- brains, long context, attacks -----------------------------------------------------------

_FMRI = "Scaling laws for language encoding models in fMRI"
FMRI_SIZE = Law(
    "a + b * log(N)",
    [
        Parameter("a", start=(-0.5, 0.5), description="correlation at one parameter"),
        Parameter("b", start=(0.0, 0.05), description="correlation per log parameter"),
    ],
    [Variable("N", "parameters", "language model parameters", span=(1.25e8, 3e10))],
    name="fmri-parameters",
    target="correlation",
    source=Source(_FMRI, "2305.11863", "abstract, log-linear in size", 2023),
    example={"a": -0.02, "b": 0.005},
    protocol="A line per subject; residual='linear'.",
    notes="From 125M to 30B parameters the source gains about 15 percent. Bounded by the noise "
    "ceiling of the recording, which the form ignores.",
)

FMRI_DATA = Law(
    "a + b * log(D)",
    [
        Parameter("a", start=(-0.5, 0.5), description="correlation at one hour"),
        Parameter("b", start=(0.0, 0.1), description="correlation per log hour"),
    ],
    [Variable("D", "hours", "fMRI training data", span=(1.0, 16.0))],
    name="fmri-data",
    target="correlation",
    source=Source(_FMRI, "2305.11863", "abstract, log-linear in training data", 2023),
    example={"a": 0.03, "b": 0.02},
    protocol="A line per subject; residual='linear'.",
    notes="Ceiling as in fmri-parameters. The abstract prints no coefficients.",
)

_L2M = "L^2M: Mutual Information Scaling Law for Long-Context Language Modeling"
MUTUAL_BIPARTITE = Law(
    "a * L**beta",
    [
        Parameter("a", "log", start=(0.1, 100.0), description="nats at length 1"),
        Parameter("beta", bounds=(0.0, 1.0), start=(0.1, 0.95), description="exponent"),
    ],
    [Variable("L", "tokens", "length of the block, halved in two", span=(64.0, 65536.0))],
    name="mutual-information-bipartite",
    target="mutual_information",
    source=Source(_L2M, "2503.04725", "bipartite law", 2025),
    example={"a": 1.5, "beta": 0.8},
    protocol="A line in log-log of bias-corrected estimates.",
    notes="A model's state must grow at least as L**beta. The abstract confirms the power law; "
    "coefficients could not be checked.",
    verified=False,
)

MUTUAL_TWO_POINT = Law(
    "a * d**-alpha",
    [
        Parameter("a", "log", start=(0.01, 10.0), description="nats at distance 1"),
        Parameter("alpha", start=(0.1, 2.0), description="exponent"),
    ],
    [Variable("d", "tokens", "distance between two tokens", span=(1.0, 4096.0))],
    name="mutual-information-two-point",
    target="mutual_information",
    source=Source(_L2M, "2503.04725", "two-point law, for comparison", 2025),
    example={"a": 0.5, "alpha": 0.7},
    protocol="A line in log-log.",
    notes="Says nothing about the bipartite exponent. Coefficients could not be checked.",
    verified=False,
)

ATTACK = Law(
    "kappa * a",
    [Parameter("kappa", "log", start=(0.1, 1000.0), description="target tokens per attacked")],
    [Variable("a", "tokens", "tokens whose activations are attacked", span=(1.0, 30.0))],
    name="activation-attack",
    target="t_max",
    source=Source(
        "Scaling Laws for Adversarial Attacks on Language Model Activations",
        "2312.02780",
        "abstract, linear in the attacked activations",
        2023,
    ),
    example={"kappa": 24.0},
    protocol="A line through the origin and the point of saturation.",
    notes="kappa differs per model; up to 1000 tokens are controlled in all. The resistance to "
    "attack (bits in per bit out) is 16 to 25 over two decades of model size.",
)

LAWS: tuple[Law, ...] = (
    HENIGHAN_SIZE,
    HENIGHAN_COMPUTE,
    HENIGHAN_OPTIMUM,
    TRANSLATION,
    TRANSLATION_BLEU,
    CLIP,
    TIME_SERIES,
    WUKONG,
    WUKONG_LOG,
    PROTEIN_N,
    PROTEIN_D,
    PLAID_N,
    PLAID_L,
    FMRI_SIZE,
    FMRI_DATA,
    MUTUAL_BIPARTITE,
    MUTUAL_TWO_POINT,
    ATTACK,
)
