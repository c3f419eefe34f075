"""Laws of fine-tuning and transfer: from one loss, data set or task to another."""

from __future__ import annotations

from ..law import Law, Parameter, Source, Variable

RECTIFIED = Law(
    "B / (D_l + D**beta) + E",
    [
        Parameter("B", "log", start=(1.0, 1e5), description="scale"),
        Parameter("D_l", "log", start=(1.0, 1e4), description="pre-learned data size, D**beta"),
        Parameter("beta", bounds=(0.0, 3.0), start=(0.1, 1.2), description="exponent of D"),
        Parameter("E", "log", start=(0.1, 3.0), description="irreducible loss, nats per token"),
    ],
    [Variable("D", "samples", "fine-tuning samples; 0 is allowed", span=(200.0, 1.64e6))],
    name="rectified",
    source=Source(
        "Selecting Large Language Model to Fine-tune via Rectified Scaling Law",
        "2402.02314",
        "rectified scaling law, section 4",
        2024,
    ),
    example={"B": 400.0, "D_l": 200.0, "beta": 0.6, "E": 1.0},
    protocol="Squared error in log loss by BFGS in two stages from 3 starts, written as "
    "(A - E) / (1 + exp(beta * log(D) + b)) + E; baseline (1 / (B * D**beta) + E)**alpha by "
    "Huber(1e-3) from 10 random starts; 30 models, 15 sizes, 3 data sets.",
    notes="B / D_l + E is the loss before fine-tuning. Form quoted by Scaling Laws of Synthetic "
    "Data for Language Models (2503.19551), which fits it to error rates (beta 0.34 and "
    "B / D_l 56.3 % for two models). D_l and beta are separated only by points on both sides of "
    "D**beta = D_l.",
)

_LOSS_TO_LOSS = "Loss-to-Loss Prediction: Scaling Laws for All Datasets"

LOSS_TO_LOSS = Law(
    "K * (L_0 - E_0)**kappa + E_1",
    [
        Parameter("K", "log", start=(0.3, 3.0), description="scale"),
        Parameter("E_0", bounds=(0.0, 20.0), start=(0.5, 2.0), description="irreducible L_0, nats"),
        Parameter("kappa", start=(0.5, 2.0), description="exponent"),
        Parameter("E_1", bounds=(0.0, 20.0), start=(0.5, 2.0), description="irreducible L_1, nats"),
    ],
    [Variable("L_0", "nats per token", "loss on the first data set", span=(2.1, 4.5))],
    name="loss-to-loss",
    target="L_1",
    source=Source(_LOSS_TO_LOSS, "2411.12925", "eq. of section 3", 2024),
    example={"K": 0.9, "E_0": 1.6, "kappa": 1.1, "E_1": 1.4},
    protocol="E_0 and E_1 are fixed at what a law of scale gives per data set; K and kappa by "
    "least squares on runs paired by N and D or by compute.",
    notes="Pass fixed={'E_0': ..., 'E_1': ...}: free, E_0 and E_1 are hardly identified over the "
    "range of losses that runs span, and they decide the extrapolation. Every L_0 must be above "
    "E_0. Train to train, train to test and test to test alike.",
)

LOSS_TO_LOSS_SCALE = Law(
    "E + ((A / N)**(alpha / beta) + B / D)**beta",
    [
        Parameter("E", "log", start=(0.3, 3.0), description="irreducible loss, nats per token"),
        Parameter("A", "log", start=(1e4, 1e10), description="scale, parameters"),
        Parameter("alpha", bounds=(1e-6, 5.0), start=(0.1, 0.8), description="exponent of N"),
        Parameter("beta", bounds=(1e-6, 5.0), start=(0.1, 0.8), description="exponent of D"),
        Parameter("B", "log", start=(1e5, 1e11), description="scale, tokens"),
    ],
    [
        Variable("N", "parameters", "model parameters without embeddings", span=(2e7, 3.3e9)),
        Variable("D", "tokens", "training tokens", span=(3e8, 1e11)),
    ],
    name="loss-to-loss-scale",
    source=Source(_LOSS_TO_LOSS, "2411.12925", "the law of scale per data set, section 3", 2024),
    example={"E": 1.8, "A": 5.7e7, "alpha": 0.4, "beta": 0.4, "B": 4e8},
    protocol="Huber(1e-3) on log loss, L-BFGS from a grid 4 x 4 x 1 x 1 x 1; six data sets, 529 "
    "runs.",
    notes="Kaplan's joint form with an irreducible term; preferred by the source to Chinchilla's "
    "because the optimal N at a budget is then the same for every data set.",
)

MICROSCOPE = Law(
    "(N_c / N)**alpha",
    [
        Parameter("N_c", "log", start=(1.0, 1e12), description="parameters at which the loss is 1"),
        Parameter("alpha", start=(0.01, 0.6), description="exponent"),
    ],
    [Variable("N", "parameters", "model parameters", span=(1e4, 1e8))],
    name="microscope",
    source=Source(
        "Scaling Laws Under the Microscope: Predicting Transformer Performance from Small Scale "
        "Experiments",
        "2202.06387",
        "per task, after fine-tuning",
        2022,
    ),
    example={"N_c": 1e6, "alpha": 0.15},
    protocol="A line in log-log over several seeds; uncertainty from the seeds.",
    notes="No irreducible term. The law does not hold for every task; the source checks goodness "
    "of fit before it extrapolates. Only a summary of the paper was seen.",
    verified=False,
)

_MT = "Scaling Laws for Downstream Task Performance of Large Language Models"
_D_P = Variable("D_p", "tokens", "pre-training tokens", span=(1e8, 2e10))

TRANSFER_LOSS = Law(
    "E + A / D_p**alpha",
    [
        Parameter("E", "log", start=(0.1, 4.0), description="irreducible loss, nats per token"),
        Parameter("A", "log", start=(1.0, 1e6), description="scale"),
        Parameter("alpha", bounds=(0.0, 3.0), start=(0.05, 0.8), description="exponent"),
    ],
    [_D_P],
    name="downstream-cross-entropy",
    source=Source(_MT, "2402.04177", "law of the downstream cross-entropy", 2024),
    example={"E": 1.4, "A": 300.0, "alpha": 0.32},
    protocol="Huber loss with L-BFGS.",
    notes="Later versions are called Scaling Laws for Downstream Task Performance in Machine "
    "Translation. Holds where the pre-training data fit the task; elsewhere the curve is not "
    "monotone. Form from one source only.",
    verified=False,
)

TRANSFER_BLEU = Law(
    "log(A * D_p**alpha)**beta",
    [
        Parameter("A", "log", start=(0.1, 100.0), description="scale"),
        Parameter("alpha", bounds=(1e-6, 3.0), start=(0.2, 1.0), description="exponent of D_p"),
        Parameter("beta", start=(0.5, 2.5), description="exponent of the logarithm"),
    ],
    [_D_P],
    name="downstream-bleu",
    target="bleu",
    source=Source(_MT, "2402.04177", "log-law of translation quality", 2024),
    example={"A": 1.0, "alpha": 0.5, "beta": 1.4},
    protocol="Huber loss with L-BFGS.",
    notes="A log-law: no upper bound. A * D_p**alpha must be above 1. Over two decades of D_p the "
    "three coefficients are strongly correlated. Form from one source only.",
    verified=False,
)

_SFT = "Scaling Relationship on Learning Mathematical Reasoning with Large Language Models"

SFT_DATA = Law(
    "a + b * log(D)",
    [
        Parameter("a", start=(-1.0, 1.0), description="accuracy at one sample"),
        Parameter("b", start=(0.0, 0.2), description="accuracy per log sample"),
    ],
    [Variable("D", "samples", "supervised or augmented samples", span=(100.0, 1e5))],
    name="sft-data",
    target="accuracy",
    source=Source(_SFT, "2308.01825", "abstract, log-linear relation with the data", 2023),
    example={"a": -0.1, "b": 0.05},
    protocol="A line per model; residual='linear'.",
    notes="The slope is smaller for better pre-trained models. No bounds: accuracy leaves [0, 1].",
)

SFT_LOSS = Law(
    "a + b * L",
    [
        Parameter("a", start=(0.0, 4.0), description="accuracy at zero loss, extrapolated"),
        Parameter("b", start=(-3.0, 0.0), description="accuracy per nat"),
    ],
    [Variable("L", "nats per token", "pre-training loss", span=(1.5, 1.9))],
    name="sft-pretraining-loss",
    target="accuracy",
    source=Source(_SFT, "2308.01825", "abstract, linear in the pre-training loss", 2023),
    example={"a": 2.1, "b": -1.05},
    protocol="A line over models; residual='linear'.",
    notes="Losses of different corpora and tokenizers are compared as their authors report them.",
)

LAWS: tuple[Law, ...] = (
    RECTIFIED,
    LOSS_TO_LOSS,
    LOSS_TO_LOSS_SCALE,
    MICROSCOPE,
    TRANSFER_LOSS,
    TRANSFER_BLEU,
    SFT_DATA,
    SFT_LOSS,
)
