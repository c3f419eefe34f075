"""Laws of loss without an irreducible term: Kaplan et al. and those who estimated them anew."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

_TITLE = "Scaling Laws for Neural Language Models"
_ARXIV = "2001.08361"
_FIT = "Curve fits to the logarithm of the loss; no starts or errors are reported."

_N = Variable("N", "parameters", "model parameters without embeddings", span=(1e3, 1.5e9))
_D = Variable("D", "tokens", "training tokens", span=(2e7, 2.3e10))
_S = Variable("S", "steps", "steps corrected to a batch far above critical", span=(1e3, 2.5e5))
_C_MIN = Variable(
    "C",
    "PF-days",
    "training compute at a batch far below critical, without embeddings",
    span=(1e-8, 10.0),
)

_N_C = Parameter("N_c", "log", start=(1e10, 1e17), description="parameters, non-embedding")
_ALPHA_N = Parameter("alpha_N", start=(0.02, 0.5), description="exponent in parameters")

PARAMETERS = Law(
    "(N_c / N)**alpha_N",
    [_N_C, _ALPHA_N],
    [_N],
    name="kaplan-parameters",
    source=Source(_TITLE, _ARXIV, "eq. 1.1", 2020),
    published=[
        Published(
            "kaplan2020",
            {"N_c": 8.8e13, "alpha_N": 0.076},
            "eq. 1.1",
            "N without embeddings, loss in nats per token",
            "models trained to convergence on data that do not limit",
        )
    ],
    protocol=_FIT,
    notes="Counting embeddings in N bends the line; Pearce and Song (2406.12907) trace most of the "
    "gap to Chinchilla's allocation to this count.",
)

TOKENS = Law(
    "(D_c / D)**alpha_D",
    [
        Parameter("D_c", "log", start=(1e10, 1e17), description="tokens"),
        Parameter("alpha_D", start=(0.02, 0.5), description="exponent in tokens"),
    ],
    [_D],
    name="kaplan-tokens",
    source=Source(_TITLE, _ARXIV, "eq. 1.2", 2020),
    published=[
        Published(
            "kaplan2020",
            {"D_c": 5.4e13, "alpha_D": 0.095},
            "eq. 1.2",
            "D in tokens, loss in nats per token",
            "large models, stopped early",
        )
    ],
    protocol=_FIT,
)

COMPUTE = Law(
    "(C_c / C)**alpha_C",
    [
        Parameter("C_c", "log", start=(1e4, 1e12), description="PF-days"),
        Parameter("alpha_C", start=(0.02, 0.5), description="exponent in compute"),
    ],
    [_C_MIN],
    name="kaplan-compute",
    source=Source(_TITLE, _ARXIV, "eq. 1.3", 2020),
    published=[
        Published(
            "kaplan2020",
            {"C_c": 3.1e8, "alpha_C": 0.050},
            "eq. 1.3",
            "C in PF-days (8.64e19 FLOP) without embeddings, loss in nats per token",
        )
    ],
    protocol=_FIT,
)

STEPS = Law(
    "(N_c / N)**alpha_N + (S_c / S)**alpha_S",
    [
        _N_C,
        _ALPHA_N,
        Parameter("S_c", "log", start=(1e2, 1e5), description="steps"),
        Parameter("alpha_S", start=(0.2, 2.0), description="exponent in steps"),
    ],
    [_N, _S],
    name="kaplan-steps",
    source=Source(_TITLE, _ARXIV, "eq. 1.6 and 5.6", 2020),
    published=[
        Published(
            "kaplan2020",
            {"N_c": 6.5e13, "alpha_N": 0.077, "S_c": 2.1e3, "alpha_S": 0.76},
            "table 3",
            "N without embeddings, S = S_min in steps, loss in nats per token",
        )
    ],
    protocol=_FIT,
    notes="S is S_min = steps / (1 + B_crit(loss) / B): correct the column with "
    "kaplan-critical-batch before the fit. The start of training does not follow the law.",
)

CRITICAL_BATCH = Law(
    "B_star / loss**(1 / alpha_B)",
    [
        Parameter("B_star", "log", start=(1e6, 1e11), description="tokens"),
        Parameter("alpha_B", bounds=(0.01, 5.0), start=(0.1, 1.0), description="inverse exponent"),
    ],
    [Variable("loss", "nats per token", "loss reached", span=(2.2, 6.0))],
    name="kaplan-critical-batch",
    target="B_crit",
    source=Source(_TITLE, _ARXIV, "eq. 1.4 and 5.3", 2020),
    published=[
        Published(
            "kaplan2020",
            {"B_star": 2e8, "alpha_B": 0.21},
            "eq. 1.4",
            "B_crit in tokens, loss in nats per token",
        )
    ],
    protocol="The trade between steps and tokens at each loss, after McCandlish et al. "
    "(1812.06162), then a straight line in logarithms.",
    notes="Diverges at a finite loss of 0; later work (2410.21676) finds the critical batch to "
    "depend on data instead of loss.",
)

_ALLOCATION = {
    "parameters": ("N_opt", "N_e", "p_N", 1.3e9, 0.73, "parameters without embeddings"),
    "batch": ("B_opt", "B_e", "p_B", 2.0e6, 0.24, "tokens per batch, well below critical"),
    "steps": ("S_min", "S_e", "p_S", 5.4e3, 0.03, "steps"),
    "tokens": ("D_opt", "D_e", "p_D", 2e10, 0.27, "tokens, in one epoch"),
}

ALLOCATION = tuple(
    Law(
        f"{factor} * C**{power}",
        [
            Parameter(factor, "log", start=(at / 1e3, at * 1e3), description=f"{what} at 1 PF-day"),
            Parameter(power, start=(0.0, 1.0), description="exponent in compute"),
        ],
        [_C_MIN],
        name=f"kaplan-optimal-{name}",
        target=target,
        source=Source(_TITLE, _ARXIV, "section 6.1, appendix A, figure 14", 2020),
        published=[
            Published(
                "kaplan2020",
                {factor: at, power: p},
                "appendix A, table 6",
                "C = C_min in PF-days without embeddings",
                "overturned by Hoffmann et al. (2203.15556), who find both exponents near 0.5",
            )
        ],
        protocol="Straight lines in logarithms through the frontier of the training curves.",
        notes="The source also derives the exponents: 1 / alpha_C = 1 / alpha_S + 1 / alpha_B + "
        "1 / alpha_N, and p_X = alpha_C / alpha_X.",
    )
    for name, (target, factor, power, at, p, what) in _ALLOCATION.items()
)

OVERFITTING = Law(
    "k * N**p",
    [
        Parameter("k", "log", start=(1.0, 1e7), description="tokens at one parameter"),
        Parameter("p", start=(0.2, 1.5), description="exponent in parameters"),
    ],
    [_N],
    name="kaplan-overfitting",
    target="D",
    source=Source(_TITLE, _ARXIV, "eq. 4.4", 2020),
    published=[
        Published(
            "kaplan2020",
            {"k": 5e3, "p": 0.74},
            "eq. 4.4",
            "N without embeddings, D in tokens",
            "the least data for which overfitting stays within the noise between seeds, 0.02",
        )
    ],
    protocol="Derived from the joint law: p = alpha_N / alpha_D.",
)

LEARNING_RATE = Law(
    "a - b * log(N)",
    [
        Parameter("a", start=(0.0, 0.02), description="learning rate at one parameter"),
        Parameter("b", start=(0.0, 0.001), description="fall of the rate per e-fold of parameters"),
    ],
    [Variable("N", "parameters", "model parameters without embeddings", span=(1e4, 1.5e9))],
    name="kaplan-learning-rate",
    target="learning_rate",
    source=Source(_TITLE, _ARXIV, "eq. D.1", 2020),
    published=[
        Published(
            "kaplan2020",
            {"a": 0.003239, "b": 0.0001395},
            "eq. D.1",
            "N without embeddings, natural logarithm, Adam's peak learning rate",
            "a rule of thumb of the source; negative above 1.2e10 parameters",
        )
    ],
    protocol="By eye, from sweeps at small sizes.",
)

# --- the same forms, estimated anew ---------------------------------------------------------------

_AGAIN = "Unraveling the Mystery of Scaling Laws: Part I"
_AGAIN_NOTE = (
    "The source's constants hold for one setting of data, context and tokenizer and were not found "
    "in a second source; the example has Kaplan's magnitudes."
)
_SMALL = Variable("N", "parameters", "model parameters without embeddings", span=(1e6, 6e7))
_AGAIN_STEPS = Law(
    "(N_c / N)**alpha_N + (S_c / S)**alpha_S",
    STEPS.declared_parameters,
    [_SMALL, _S],
    name="unraveling-steps",
    source=Source(_AGAIN, "2403.06563", "section 3, L(N, S_min)", 2024),
    example={"N_c": 8.0e13, "alpha_N": 0.075, "S_c": 2.3e3, "alpha_S": 0.7},
    protocol="In stages: N_c and alpha_N from converged runs of 1M to 60M parameters, then S_c and "
    "alpha_S from training curves at infinite batch, then B_star and alpha_B from pairs of batch "
    "sizes that reach the same loss.",
    notes=_AGAIN_NOTE,
    verified=False,
)

_TIME_TO_LOSS = Law(
    "S_c / (loss - (N_c / N)**alpha_N)**(1 / alpha_S) * (1 + B_star / (B * loss**(1 / alpha_B)))",
    [
        Parameter("S_c", "log", start=(1e2, 1e5), description="steps"),
        Parameter("N_c", "log", start=(1e13, 2e14), description="parameters, non-embedding"),
        Parameter("alpha_N", bounds=(0.0, 0.079), start=(0.05, 0.078), description="exponent in N"),
        Parameter("alpha_S", bounds=(0.05, 5.0), start=(0.3, 1.5), description="exponent in steps"),
        Parameter("B_star", "log", start=(1e6, 1e11), description="tokens"),
        Parameter("alpha_B", bounds=(0.01, 5.0), start=(0.1, 1.0), description="inverse exponent"),
    ],
    [
        _SMALL,
        Variable("B", "tokens", "batch size", span=(1e4, 1e7)),
        Variable("loss", "nats per token", "loss to reach", span=(4.3, 6.0)),
    ],
    name="unraveling-steps-to-loss",
    target="steps",
    source=Source(_AGAIN, "2403.06563", "section 3, solved for the steps", 2024),
    example={
        "S_c": 2.3e3,
        "N_c": 8.0e13,
        "alpha_N": 0.075,
        "alpha_S": 0.7,
        "B_star": 2e8,
        "alpha_B": 0.21,
    },
    protocol=_AGAIN_STEPS.protocol,
    notes=_AGAIN_NOTE + " The law of the loss at any batch size is implicit in the loss; solved "
    "for the steps it is not. It has no value where the loss is below (N_c / N)**alpha_N, so "
    "starts must keep that floor under every loss of the table.",
    verified=False,
)

_LOSS_AT_ANY_BATCH = Law(
    "loss = (N_c / N)**alpha_N + (S_c * (1 + B_star / (B * loss**(1 / alpha_B))) / S)**alpha_S",
    [
        Parameter("N_c", "log", start=(1e12, 1e16), description="parameters"),
        Parameter("alpha_N", bounds=(0.0, 5.0), start=(0.03, 0.3), description="exponent"),
        Parameter("S_c", "log", start=(1e2, 1e5), description="steps"),
        Parameter("alpha_S", bounds=(0.0, 5.0), start=(0.2, 1.5), description="exponent"),
        Parameter("B_star", "log", start=(1e6, 1e11), description="tokens"),
        Parameter("alpha_B", bounds=(0.01, 5.0), start=(0.1, 1.0), description="inverse exponent"),
    ],
    [
        _SMALL,
        Variable("S", "steps", "parameter updates", span=(1e3, 1e5)),
        Variable("B", "tokens", "batch size", span=(1e4, 1e7)),
    ],
    name="unraveling-loss-at-any-batch",
    source=Source(_AGAIN, "2403.06563", "section 3, the full trajectory", 2024),
    example={
        "S_c": 2.3e3,
        "N_c": 8.0e13,
        "alpha_N": 0.075,
        "alpha_S": 0.7,
        "B_star": 2e8,
        "alpha_B": 0.21,
    },
    protocol="In stages: alpha_N and N_c of converged runs, then alpha_S and S_c, then B_star and "
    "alpha_B from pairs of batch sizes that reach one loss.",
    notes=_AGAIN_NOTE
    + " The critical batch depends on the loss, so the loss stands on both sides; "
    "unraveling-steps-to-loss is the same law solved for the steps.",
    verified=False,
)

LAWS: tuple[Law, ...] = (
    PARAMETERS,
    TOKENS,
    COMPUTE,
    STEPS,
    CRITICAL_BATCH,
    *ALLOCATION,
    OVERFITTING,
    LEARNING_RATE,
    _AGAIN_STEPS,
    _TIME_TO_LOSS,
    _LOSS_AT_ANY_BATCH,
)
