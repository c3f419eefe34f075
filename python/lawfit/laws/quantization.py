"""Laws of number formats: floating-point training, quantization after training, bits in memory."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

_N = Variable("N", "parameters", "model parameters without embeddings", span=(1.6e8, 1.2e10))
_D = Variable("D", "tokens", "training tokens", span=(1e9, 3e11))

_FP = "Scaling Laws for Floating Point Quantization Training"
_FP_RUNS = [
    Variable("N", "parameters", "model parameters", levels=(4.0894464e7, 8.5e7, 1.54e8, 6.79e8)),
    Variable(
        "D",
        "tokens",
        "training tokens",
        levels=(1.048576e10, 2.097152e10, 5.24288e10, 1.048576e11),
    ),
]
_FP_BLOCK = Variable(
    "B",
    "values",
    "values that share one scaling factor; 2**13.1567 for one factor per channel",
    levels=(32.0, 64.0, 128.0, 256.0, 512.0, 2.0**13.1567),
)
_FP_BASE = [
    Parameter("n", "log", start=(1.0, 1e6), description="scale of the parameter term"),
    Parameter("alpha", start=(0.05, 1.0), description="exponent of parameters, in both terms"),
    Parameter("d", "log", start=(1.0, 1e8), description="scale of the data term"),
    Parameter("beta", start=(0.05, 1.0), description="exponent of tokens, in both terms"),
    Parameter("epsilon", "log", start=(0.3, 4.0), description="irreducible loss, nats per token"),
]
_FP_BITS = [
    Parameter("gamma", "log", start=(1.0, 1e7), description="resistance to few bits, scale"),
    Parameter("delta", start=(0.5, 6.0), description="exponent of exponent bits"),
    Parameter("nu", start=(0.5, 6.0), description="exponent of mantissa bits"),
]
_FP_VALUES = {
    "n": 69.2343,
    "alpha": 0.2368,
    "d": 68973.0621,
    "beta": 0.5162,
    "epsilon": 1.9061,
    "gamma": 11334.5197,
    "delta": 3.1926,
    "nu": 2.9543,
}
_FP_PROTOCOL = (
    "358 of 366 runs; exponents for E, M and B were first fitted one at a time, found close to the "
    "alpha and beta of the loss itself, joined and fitted again; 1.2B, 7B and 70B runs held out. "
    "Loss function and optimiser are not stated."
)

FLOATING_POINT = Law(
    "n / N**alpha + d / D**beta + epsilon"
    " + D**beta / N**alpha * log2(B) / (gamma * (E + 0.5)**delta * (M + 0.5)**nu)",
    [*_FP_BASE, *_FP_BITS],
    [
        *_FP_RUNS,
        Variable("E", "bits", "exponent bits", levels=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)),
        Variable("M", "bits", "mantissa bits", levels=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)),
        _FP_BLOCK,
    ],
    name="floating-point",
    source=Source(_FP, "2501.02423", "eq. 1, 18 and 26", 2025),
    published=[
        Published(
            "sun2025",
            _FP_VALUES,
            "appendix B, table 2",
            "N and D as plain counts, E and M in bits, loss in nats per token",
            "with B = 128 these values give the critical data sizes that the paper prints for "
            "1e9 parameters: 1730e12 tokens at E8M7, 27e12 at E4M3, 0.4e12 at E2M1",
        )
    ],
    protocol=_FP_PROTOCOL,
    notes="Weights of the forward and backward products are quantized, and the activations of the "
    "gradient of the weights. Of P = E + M + 1 bits, E + 0.5 = P delta / (delta + nu) is the best "
    "layout; more than (d gamma N**alpha (E + 0.5)**delta (M + 0.5)**nu / log2 B)**(1 / (2 beta)) "
    "tokens do harm.",
)

FLOATING_POINT_WIDTH = Law(
    "n / N**alpha + d / D**beta + epsilon + D**beta / N**alpha * log2(B) / (gamma_rho * P**kappa)",
    [
        *_FP_BASE,
        Parameter("gamma_rho", "log", start=(0.1, 1e5), description="resistance to few bits"),
        Parameter("kappa", start=(1.0, 10.0), description="exponent of bits, delta + nu"),
    ],
    [
        *_FP_RUNS,
        Variable(
            "P",
            "bits",
            "bits of the floating-point type with its sign, in the best layout",
            levels=(3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 12.0, 16.0),
        ),
        _FP_BLOCK,
    ],
    name="floating-point-width",
    source=Source(_FP, "2501.02423", "eq. 20, 34 and 35", 2025),
    published=[
        Published(
            "sun2025",
            {
                **{k: v for k, v in _FP_VALUES.items() if k not in ("gamma", "delta", "nu")},
                "gamma_rho": 11334.5197
                * 3.1926**3.1926
                * 2.9543**2.9543
                / (3.1926 + 2.9543) ** (3.1926 + 2.9543),
                "kappa": 3.1926 + 2.9543,
            },
            "table 2, put into eq. 34: gamma delta**delta nu**nu / (delta + nu)**(delta + nu)",
            "as sun2025 of floating-point",
        )
    ],
    protocol=_FP_PROTOCOL,
    notes="floating-point with the bits divided in the best way. With cost proportional to N D P "
    "the best precision rises slowly with D: 4 to 8 bits between 1e11 and 1e14 tokens (B = 128).",
)

FLOATING_POINT_SHARED = Law(
    "n / (N * (1 - exp(-(1 + E + M) / gamma)))**alpha + d / D**beta + epsilon",
    [
        *_FP_BASE,
        Parameter("gamma", "log", start=(0.3, 6.0), description="sensitivity to bits, bits"),
    ],
    FLOATING_POINT.declared_variables[:4] if FLOATING_POINT.declared_variables else (),
    name="floating-point-as-width",
    source=Source(_FP, "2501.02423", "eq. 6", 2025),
    example={
        "n": 69.2343,
        "alpha": 0.2368,
        "d": 68973.0621,
        "beta": 0.5162,
        "epsilon": 1.9061,
        "gamma": 2.2,
    },
    notes="What the source compares floating-point with: the effective parameters of Kumar et al. "
    "(2411.04330) with 1 + E + M bits, exponent and mantissa alike. It reports a bias at E1M1. "
    "gamma of the example is ours.",
)

_QID = (
    "Low-Bit Quantization Favors Undertrained LLMs: "
    "Scaling Laws for Quantized LLMs with 100T Training Tokens"
)
_QID_P = Variable("P", "bits", "bits of the weights after training", levels=(2.0, 3.0, 4.0))
_QID_PARAMETERS = [
    Parameter("k", "log", start=(1e-6, 1e3), description="scale"),
    Parameter("beta", start=(0.0, 1.5), description="exponent of tokens"),
    Parameter("alpha", start=(0.0, 1.0), description="exponent of parameters"),
    Parameter("gamma", start=(1.0, 10.0), description="exponent of bits"),
]
_QID_VALUES = {"k": 0.017, "beta": 0.5251, "alpha": 0.2261, "gamma": 5.4967}

DEGRADATION = Law(
    "k * D**beta / (N**alpha * P**gamma)",
    _QID_PARAMETERS,
    [_N, _D, _QID_P],
    name="quantization-degradation",
    target="delta_loss",
    source=Source(_QID, "2411.17691", "eq. 8, figure 6", 2024),
    published=[
        Published(
            "ouyang2024",
            _QID_VALUES,
            "figure 6: Pythia models quantized by GPTQ",
            "N without embeddings and D as plain counts, P in bits, degradation in nats per token",
            "fits in one variable at a time give 0.5316 (D), 0.2276 (N) and 5.4812 (P). The "
            "paper's table 1 of tokens for a given degradation is not what these values give: at "
            "70e9 parameters, 4 bits and 0.2 nats it prints 17.3e12, they give 10.3e12",
        )
    ],
    protocol="Over 1,500 quantized checkpoints; the fitting method could not be read.",
    notes="Loss after quantization minus loss before; a straight line in logarithms. Measured "
    "differences can be zero or negative at small D: fit residual='linear' then.",
)

QUANTIZED_LOSS = Law(
    "((N_c / N)**(alpha_N / alpha_D) + D_c / D)**alpha_D + k * D**beta / (N**alpha * P**gamma)",
    [
        Parameter("N_c", "log", start=(1e12, 1e22), description="parameters"),
        Parameter("alpha_N", start=(0.02, 0.3), description="exponent in parameters"),
        Parameter(
            "alpha_D", bounds=(1e-6, 10.0), start=(0.05, 0.8), description="exponent in tokens"
        ),
        Parameter("D_c", "log", start=(1e8, 1e14), description="tokens"),
        *_QID_PARAMETERS,
    ],
    [_N, _D, _QID_P],
    name="quantized-loss",
    source=Source(_QID, "2411.17691", "eq. 3 and 8, figures 6 and 7", 2024),
    published=[
        Published(
            "ouyang2024",
            {"N_c": 4.74e19, "alpha_N": 0.045, "alpha_D": 0.399, "D_c": 7.63e10, **_QID_VALUES},
            "figure 7 (16 bits) and figure 6 (degradation), Pythia models quantized by GPTQ",
            "N without embeddings and D as plain counts, loss in nats per token",
            "fitted apart, added afterwards",
        )
    ],
    protocol="The loss at 16 bits and the degradation are fitted apart.",
    notes="Loss of a quantized model: Kaplan's form plus the degradation.",
)

MIXED = Law(
    "A / N**alpha * Q_b**gamma * exp(lam * Q_r)",
    [
        Parameter("A", "log", start=(1e-4, 1e6), description="scale, nats per token"),
        Parameter("alpha", start=(0.0, 1.5), description="exponent of parameters"),
        Parameter("gamma", start=(0.0, 1.0), description="exponent of the block size"),
        Parameter("lam", start=(0.5, 10.0), description="rate in the quantized share"),
    ],
    [
        Variable("N", "parameters", "model parameters", span=(6e7, 7e10)),
        Variable("Q_b", "values", "values that share a scaling factor", span=(16.0, 512.0)),
        Variable("Q_r", "", "share of parameters at low precision, 0 to 1", span=(0.3, 1.0)),
    ],
    name="mixed-quantization",
    target="delta_loss",
    source=Source(
        "Scaling Laws for Mixed quantization in Large Language Models",
        "2410.06722",
        "section 4, as reviewed; version 2 on",
        2024,
    ),
    example={"A": 5.0, "alpha": 0.3, "gamma": 0.3, "lam": 4.0},
    protocol="Not read.",
    notes="Version 1 prints no law; later versions do, and their text could not be read. Reviews "
    "and the abstract say: exponential in the ratio, a power of the block size, parameters "
    "and ratio multiply. The joint form here is put together from that, its coefficients "
    "are ours.",
    verified=False,
)

AWARE = Law(
    "k * D**gamma_D * log2(G)**gamma_G / N**gamma_N",
    [
        Parameter("k", "log", start=(1e-4, 1e2), description="scale"),
        Parameter("gamma_D", start=(0.0, 1.0), description="exponent of tokens"),
        Parameter("gamma_G", start=(0.0, 2.0), description="exponent of log2 of the group"),
        Parameter("gamma_N", start=(0.0, 1.0), description="exponent of parameters"),
    ],
    [
        Variable("N", "parameters", "model parameters", levels=(7.4e7, 1.45e8, 2.97e8, 5.95e8)),
        Variable("D", "tokens", "training tokens", levels=(1e10, 2e10, 5e10, 1e11)),
        Variable("G", "values", "values per scaling factor", levels=(32.0, 64.0, 128.0, 256.0)),
    ],
    name="quantization-aware-training",
    target="delta_loss",
    source=Source(
        "Scaling Law for Quantization-Aware Training", "2505.14302", "the law of delta_p", 2025
    ),
    example={"k": 0.16, "gamma_D": 0.075, "gamma_G": 0.78, "gamma_N": 0.22},
    protocol="Huber loss, L-BFGS on 80 runs at one precision (4-bit weights and activations); the "
    "16-bit loss fitted apart with alpha = beta.",
    notes="Loss of training at low precision minus that at 16 bits, zero at G = 1 (no "
    "quantization). Added to Chinchilla's law, where effective parameters change its N. "
    "Form confirmed by two readers; the table of coefficients was not found, those of the "
    "example are ours.",
    verified=False,
)

K_BIT = Law(
    "a + b * log10(N * (k + 16 / B))",
    [
        Parameter("a", start=(-2.0, 1.0), description="accuracy at one bit"),
        Parameter("b", start=(0.0, 0.3), description="accuracy per tenfold bits"),
    ],
    [
        Variable("N", "parameters", "model parameters", span=(1.9e7, 1.76e11)),
        Variable("k", "bits", "bits per parameter, one width at a time", levels=(4.0,)),
        Variable("B", "values", "quantization block: one 16-bit constant each", levels=(64.0,)),
    ],
    name="k-bit",
    target="accuracy",
    source=Source(
        "The case for 4-bit precision: k-bit Inference Scaling Laws",
        "2212.09720",
        "figures of accuracy against total model bits; no equation",
        2022,
    ),
    example={"a": -0.1, "b": 0.07},
    protocol="Linear interpolation: the authors found that power laws in two variables fit badly.",
    notes="Mean zero-shot accuracy against the logarithm of all bits in memory, for one width k; "
    "the lines of 3 to 16 bits run about parallel. A straight line is our reading of the "
    "figures; its coefficients are ours. k-bit-by-width has one intercept per width.",
    verified=False,
)

_QUEST = Source(
    "QuEST: Stable Training of LLMs with 1-Bit Weights and Activations",
    "2502.05003",
    "the law of effective parameters and its fit in the authors' repository",
    2025,
)
_QUEST_BASE = [
    Parameter("A", "log", start=(1e-2, 1e8), description="scale of the parameter term"),
    Parameter("alpha", start=(0.01, 1.0), description="exponent of effective parameters"),
    Parameter("B", "log", start=(1.0, 1e8), description="scale of the data term"),
    Parameter("beta", start=(0.05, 1.0), description="exponent of tokens"),
    Parameter("E", "log", start=(1e-3, 3.0), description="irreducible loss, nats per token"),
]
_QUEST_RUNS = [
    Variable("N", "parameters", "model parameters without embeddings", span=(3e7, 8e8)),
    Variable("D", "tokens", "training tokens", span=(7.5e8, 8e10)),
]
_QUEST_VALUES = {"A": 8.134, "alpha": 0.06273, "B": 86.41, "beta": 0.24129, "E": 0.00142}
_QUEST_EFF = {"eff_1": 0.0205, "eff_2": 0.1519, "eff_3": 0.4331, "eff_4": 0.6918, "eff_8": 1.0162}
_QUEST_NOTES = (
    "E is not identified in the authors' runs (0.0014 at their optimum), and neither are A and "
    "alpha apart: compare eff, not them. eff of 16 bits is 1 by definition. The authors' script "
    "keeps its last start, not its best, and its Huber delta never acts."
)
_QUEST_PROTOCOL = "104 runs; minimised from several starts; weights and activations have P bits."

QUEST = Law(
    "A / (N * where(P >= 16, 1, where(P >= 8, eff_8, where(P >= 4, eff_4,"
    " where(P >= 3, eff_3, where(P >= 2, eff_2, eff_1))))))**alpha + B / D**beta + E",
    [
        *_QUEST_BASE,
        *(
            Parameter(
                f"eff_{bits}",
                "log",
                start=(0.01, 1.5),
                description=f"share of the parameters that {bits}-bit training leaves effective",
            )
            for bits in (1, 2, 3, 4, 8)
        ),
    ],
    [
        *_QUEST_RUNS,
        Variable(
            "P",
            "bits",
            "bits of weights and activations in training",
            levels=(1.0, 2.0, 3.0, 4.0, 8.0, 16.0),
        ),
    ],
    name="effective-parameters",
    source=_QUEST,
    published=[
        Published(
            "panferov2025",
            {**_QUEST_VALUES, **_QUEST_EFF},
            "output of the authors' repository (IST-DASLab/QuEST), method QuEST",
            "N without embeddings and D as plain counts, loss on C4 in nats per token",
        )
    ],
    protocol=_QUEST_PROTOCOL,
    notes=_QUEST_NOTES,
)

QUEST_FORMATS = Law(
    "A / (N * eff[format])**alpha + B / D**beta + E",
    [
        *_QUEST_BASE,
        Parameter(
            "eff",
            "log",
            start=(0.01, 1.5),
            description="share of the parameters that is effective",
        ),
    ],
    [
        *_QUEST_RUNS,
        Variable(
            "format",
            "",
            "number format and method of training",
            levels=("bf16", "int8", "int4", "int3", "int2", "int1", "fp4", "int4-2:4"),
        ),
    ],
    name="effective-parameters-by-format",
    source=_QUEST,
    published=[
        Published(
            "panferov2025",
            {
                **_QUEST_VALUES,
                "eff[bf16]": 1.0,
                "eff[int8]": 1.0162,
                "eff[int4]": 0.6918,
                "eff[int3]": 0.4331,
                "eff[int2]": 0.1519,
                "eff[int1]": 0.0205,
                "eff[fp4]": 0.6296,
                "eff[int4-2:4]": 0.3812,
            },
            "output of the authors' repository (IST-DASLab/QuEST)",
            "N without embeddings and D as plain counts, loss on C4 in nats per token",
        )
    ],
    protocol=_QUEST_PROTOCOL,
    notes="Fix eff[bf16] = 1: otherwise eff and A are not identified apart. " + _QUEST_NOTES,
)

K_BIT_WIDTHS = Law(
    "a[format] + b * log10(bits)",
    [
        Parameter("a", start=(-2.0, 1.0), description="accuracy at one bit, per width"),
        Parameter("b", start=(0.0, 0.3), description="accuracy per tenfold bits, shared"),
    ],
    [
        Variable("bits", "bits", "all bits of the model in memory", span=(6e7, 2.8e12)),
        Variable("format", "", "width and type", levels=("int3", "int4", "int8", "fp16")),
    ],
    name="k-bit-by-width",
    target="accuracy",
    source=K_BIT.source,
    example={
        "a[int3]": -0.12,
        "a[int4]": -0.09,
        "a[int8]": -0.11,
        "a[fp16]": -0.13,
        "b": 0.07,
    },
    protocol=K_BIT.protocol,
    notes="k-bit with one intercept per width and the slope shared: the width of the highest "
    "intercept is the best at any budget of bits. Coefficients are ours.",
    verified=False,
)

LAWS: tuple[Law, ...] = (
    FLOATING_POINT,
    FLOATING_POINT_WIDTH,
    FLOATING_POINT_SHARED,
    DEGRADATION,
    QUANTIZED_LOSS,
    AWARE,
    MIXED,
    K_BIT,
    K_BIT_WIDTHS,
    QUEST,
    QUEST_FORMATS,
)
