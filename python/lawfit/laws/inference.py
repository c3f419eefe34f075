"""Laws of inference-time scaling: repeated sampling, verifiers, compute spent at test time."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

_K = Variable("k", "samples", "samples per problem", span=(1.0, 1e4))

COVERAGE = Law(
    "exp(a * k**b)",
    [
        Parameter("a", bounds=(-1e6, 0.0), start=(-8.0, -0.1), description="log coverage at k = 1"),
        Parameter("b", bounds=(-10.0, 0.0), start=(-1.0, -0.05), description="exponent"),
    ],
    [_K],
    name="coverage",
    target="coverage",
    source=Source(
        "Large Language Monkeys: Scaling Inference Compute with Repeated Sampling",
        "2407.21787",
        "section 3, exponentiated power law",
        2024,
    ),
    example={"a": -1.839, "b": -0.209},
    protocol="Least squares on the unbiased estimate 1 - C(n - s, k) / C(n, k), averaged over "
    "problems.",
    notes="The example goes through the abstract's two points, 15.9 % at 1 and 56 % at 250 samples "
    "(SWE-bench Lite). Rows of one curve are not independent: resample problems. Per problem the "
    "failure falls exponentially; the power law comes from the spread of the problems' rates "
    "(2502.17578).",
)

VERIFIER = Law(
    "p / (p + f) * (1 - (1 - p - f)**k)",
    [
        Parameter(
            "p", "log", bounds=(1e-12, 0.5), start=(1e-3, 0.3), description="right, accepted"
        ),
        Parameter(
            "f", "log", bounds=(1e-12, 0.5), start=(1e-4, 0.2), description="wrong, accepted"
        ),
    ],
    [_K],
    name="imperfect-verifier",
    target="accuracy",
    source=Source(
        "Inference Scaling FLaws: The Limits of LLM Resampling with Imperfect Verifiers",
        "2411.17501",
        "appendix C, for one kind of task",
        2024,
    ),
    example={"p": 0.03, "f": 0.01},
    protocol="Curves are measured, not fitted: at least 50 samples per task, extended unit tests "
    "as truth.",
    notes="Resampling until a sample passes: p = c r and f = (1 - s)(1 - r) with rate r of right "
    "answers, completeness c and soundness s of the verifier. The ceiling p / (p + f) does not "
    "depend on k. The sum over k is elementary and is not printed; the source mixes two kinds of "
    "tasks. Later versions are called The Limits of Inference Scaling Through Resampling.",
)

EXCHANGE = Law(
    "M + rho * (D_pre / D_inf) * (M - 1)",
    [
        Parameter("rho", "log", start=(0.5, 20.0), description="train over inference FLOPs"),
    ],
    [
        Variable("M", "", "factor of the model's size", span=(2.0, 30.0)),
        Variable("D_pre", "tokens", "pre-training tokens", span=(1e11, 1e13)),
        Variable("D_inf", "tokens", "tokens generated over the model's life", span=(1e10, 1e14)),
    ],
    name="test-time-exchange",
    target="test_time_factor",
    source=Source(
        "Scaling LLM Test-Time Compute Optimally can be More Effective than Scaling Model "
        "Parameters",
        "2408.03314",
        "section 7, FLOPs-matched comparison",
        2024,
    ),
    published=[
        Published(
            "snell2024",
            {"rho": 3.0},
            "section 7",
            "6 FLOPs per parameter and token in training, 2 in inference",
            "6 / 2",
        )
    ],
    protocol="Not fitted: equal FLOPs for a model M times larger and for more test-time compute.",
    notes="Checked by algebra: M (6 N D_pre + 2 N D_inf) = 6 N D_pre + factor * 2 N D_inf. Which "
    "of the two is better depends on the difficulty of the prompt. The source treats it by bins, "
    "with the best strategy per bin chosen by cross-validation.",
)

LAWS: tuple[Law, ...] = (COVERAGE, VERIFIER, EXCHANGE)
