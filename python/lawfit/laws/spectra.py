"""Laws from spectra: learning rate against batch size, weight decay against width."""

from __future__ import annotations

from ..law import Law, Parameter, Source, Variable

_BATCH = (
    "Learning Rates as a Function of Batch Size: A Random Matrix Theory Approach to Neural "
    "Network Training"
)
_B = Variable("B", "examples", "batch size", span=(16, 16384))

HESSIAN = Law(
    "where(lambda_1 > sigma * sqrt(P / B), lambda_1 + P / B * sigma**2 / lambda_1,"
    " 2 * sigma * sqrt(P / B))",
    [
        Parameter(
            "lambda_1", "log", start=(0.1, 100.0), description="largest eigenvalue, full data"
        ),
        Parameter("sigma", "log", start=(1e-4, 0.1), description="noise of a Hessian element"),
    ],
    [Variable("P", "parameters", "model parameters", span=(1e6, 4e7)), _B],
    name="batch-hessian",
    target="lambda_max",
    source=Source(_BATCH, "2006.09092", "largest eigenvalue of the batch Hessian", 2020),
    protocol="Not fitted: sigma and lambda_1 are measured, and the prediction compared.",
    example={"lambda_1": 10.0, "sigma": 0.01},
    notes="Largest eigenvalue of the batch's Hessian. Below the switch, lambda_1 = sigma "
    "sqrt(P / B), it is noise. Only P sigma**2 is identified where P does not vary. Form not "
    "checked against a second text.",
    verified=False,
)

SGD = Law(
    "eta_inf / (1 + B_c / B)",
    [
        Parameter("eta_inf", "log", start=(1e-3, 10.0), description="largest rate at any batch"),
        Parameter("B_c", "log", start=(10.0, 1e5), description="critical batch size, examples"),
    ],
    [_B],
    name="batch-learning-rate-sgd",
    target="learning_rate",
    source=Source(_BATCH, "2006.09092", "2 / lambda_max, linear scaling rule", 2020),
    protocol="Largest stable rate found per batch size; compared with the prediction.",
    example={"eta_inf": 0.5, "B_c": 500.0},
    notes="2 / lambda_max of batch-hessian above its switch, with B_c = P sigma**2 / lambda_1**2: "
    "linear in B for small batches (the abstract's rule for SGD), constant for large ones. Derived "
    "here from that law, which was not checked.",
    verified=False,
)

ADAM = Law(
    "eta_0 * B**p",
    [
        Parameter("eta_0", "log", start=(1e-6, 1.0), description="rate at a batch of one"),
        Parameter("p", start=(0.0, 1.5), description="1/2 by theory"),
    ],
    [_B],
    name="batch-learning-rate-adam",
    target="learning_rate",
    source=Source(_BATCH, "2006.09092", "square root scaling rule for adaptive methods", 2020),
    protocol="As batch-learning-rate-sgd.",
    example={"eta_0": 1e-4, "p": 0.5},
    notes="The source gives the exponent, 1/2 (abstract); the scale in the example is ours. SGD's "
    "rule has 1.",
)

_DECAY = "Robust Layerwise Scaling Rules by Proper Weight Decay Tuning"
_D = Variable("d", "units", "width", span=(256, 4096))

SINGULAR = Law(
    "c * (eta / lam)**p * d**q",
    [
        Parameter("c", "log", start=(1e-4, 100.0), description="scale"),
        Parameter("p", start=(0.0, 1.5), description="exponent of the ratio; 1/2 in the source"),
        Parameter("q", start=(0.0, 1.5), description="exponent of width; 0.75 in the source"),
    ],
    [
        Variable("eta", "", "learning rate of the matrix", span=(1e-4, 1e-2)),
        Variable("lam", "", "weight decay of the matrix", span=(1e-2, 1.0)),
        _D,
    ],
    name="decay-singular-value",
    target="sigma_1",
    source=Source(_DECAY, "2510.15262", "observation on the spectrum of matrices (abstract)", 2025),
    protocol="Slopes in log-log of the largest singular value after training.",
    example={"c": 0.05, "p": 0.5, "q": 0.75},
    notes="Steady state of AdamW. The source gives the exponents; c in the example is ours. "
    "Listings of the abstract have lost the square root of eta / lambda; two quotations of the "
    "paper and the algebra of decay-transfer have it. p and q are identified where rate and decay "
    "vary apart from width.",
)

TRANSFER = Law(
    "lambda_0 * (d / d_0)**p",
    [
        Parameter("lambda_0", "log", start=(1e-3, 1.0), description="decay tuned at the proxy"),
        Parameter("p", start=(0.0, 1.5), description="1/2 in the source"),
    ],
    [_D, Variable("d_0", "units", "width of the proxy", levels=(256,))],
    name="decay-transfer",
    target="weight_decay",
    source=Source(_DECAY, "2510.15262", "scaling rule for matrix parameters (abstract)", 2025),
    protocol="Not fitted: follows from decay-singular-value with rates proportional to 1 / d.",
    example={"lambda_0": 0.1, "p": 0.5},
    notes="sqrt(eta / lambda) d**0.75 stays constant under eta proportional to 1 / d when lambda "
    "grows as sqrt(d); listings of the abstract have lost that root too. Vectors: a constant rate "
    "and no decay. The source gives the exponent; lambda_0 in the example is ours.",
)

LAWS: tuple[Law, ...] = (HESSIAN, SGD, ADAM, SINGULAR, TRANSFER)
