"""Laws of value-based reinforcement learning: data, budget and settings by update ratio."""

from __future__ import annotations

from ..law import Law, Parameter, Published, Source, Variable

_TITLE = "Value-Based Deep RL Scales Predictably"
_SIGMA = Variable(
    "sigma", "updates per sample", "ratio of updates to data (UTD)", span=(0.25, 16.0)
)
_WHERE = "the authors' repository, table of proposed settings, shared slope"

# Read off the authors' table of settings for 13 ratios, which are exact power laws up to
# rounding: value at sigma = 1 by task, and the exponent that tasks share.
_BATCH = (
    0.310,
    {"Ant-v4": 415.0, "HalfCheetah-v4": 412.0, "Humanoid-v4": 313.0, "Walker2d-v4": 322.0},
)
_RATE = (
    0.285,
    {"Ant-v4": 1.50e-4, "HalfCheetah-v4": 1.87e-3, "Humanoid-v4": 1.91e-4, "Walker2d-v4": 8.24e-4},
)
_TASKS = tuple(_BATCH[1])

DATA = Law(
    "D_min + (beta / sigma)**alpha",
    [
        Parameter("D_min", "log", start=(1e4, 1e6), description="samples at many updates"),
        Parameter("beta", "log", start=(1e3, 1e15), description="scale, in units of sigma"),
        Parameter("alpha", bounds=(0.0, 5.0), start=(0.2, 1.5), description="exponent"),
    ],
    [_SIGMA],
    name="rl-data",
    target="D",
    source=Source(_TITLE, "2502.04327", "law of D_J(sigma), section 4", 2025),
    example={"D_min": 2e5, "beta": 1e8, "alpha": 0.65},
    protocol="c + (x / b)**-a by a grid of 5 x 5 x 5, then up to 500 L-BFGS-B on squared error; D "
    "is where the isotonic regression of the return crosses J, 100 bootstraps, divided by the "
    "median per task.",
    notes="D_min, beta and alpha belong to one level of performance J. Compute is then in "
    "proportion to N B(sigma) sigma D(sigma). Runs that never reach J are censored.",
)

BUDGET = Law(
    "(beta / F)**alpha",
    [
        Parameter("beta", "log", start=(1e2, 1e16), description="scale, in units of F"),
        Parameter("alpha", start=(-2.0, 2.0), description="exponent"),
    ],
    [Variable("F", "", "budget, compute + delta * data", span=(1e14, 1e17))],
    name="rl-budget",
    target="sigma_opt",
    source=Source(_TITLE, "2502.04327", "law of sigma*(F), section 5", 2025),
    example={"beta": 1e15, "alpha": -0.3},
    protocol="A line in log-log of the ratios that minimise C + delta * D at several J.",
    notes="The example's exponent is below 0: more budget, more updates per sample.",
)


def _setting(name: str, target: str, symbol: str, table: tuple[float, dict[str, float]]) -> Law:
    exponent, at_one = table
    scale, slope = f"a_{symbol}", f"alpha_{symbol}"
    low, high = (10.0, 2000.0) if symbol == "B" else (1e-5, 1e-2)
    return Law(
        f"{scale} * sigma**-{slope}",
        [
            Parameter(
                scale,
                "log",
                start=(low, high),
                description=f"{target.replace('_', ' ')} at sigma = 1",
            ),
            Parameter(slope, start=(0.05, 1.0), description="exponent, the same for all tasks"),
        ],
        [_SIGMA],
        name=name,
        target=target,
        source=Source(_TITLE, "2502.04327", f"law of {symbol}*(sigma), section 5", 2025),
        published=[
            Published(
                task,
                {scale: value, slope: exponent},
                _WHERE,
                "batch in samples, learning rate of Adam",
                "computed here from the table's rounded values",
            )
            for task, value in at_one.items()
        ],
        protocol="Ordinary least squares in logs with a dummy per task and one slope for all.",
        notes="Of OpenAI Gym; on the DeepMind control suite the same table gives exponents of 0.49 "
        "for the batch and 0.32 for the learning rate.",
    )


BATCH = _setting("rl-batch", "batch_size", "B", _BATCH)
RATE = _setting("rl-learning-rate", "learning_rate", "eta", _RATE)


def _by_task(setting: Law, symbol: str, table: tuple[float, dict[str, float]]) -> Law:
    exponent, at_one = table
    scale, slope = f"a_{symbol}", f"alpha_{symbol}"
    return Law(
        f"{scale}[task] * sigma**-{slope}",
        setting.declared_parameters,
        [_SIGMA, Variable("task", "", "environment", levels=_TASKS)],
        name=f"{setting.name}-by-task",
        target=setting.target,
        source=setting.source,
        published=[
            Published(
                "rybkin2025-gym",
                {**{f"{scale}[{t}]": v for t, v in at_one.items()}, slope: exponent},
                _WHERE,
                setting.published[0].units,
                setting.published[0].note,
            )
        ],
        protocol=setting.protocol,
        notes=f"{setting.name} for all tasks at once, the exponent shared. {setting.notes}",
    )


BATCH_TASKS = _by_task(BATCH, "B", _BATCH)
RATE_TASKS = _by_task(RATE, "eta", _RATE)

LAWS: tuple[Law, ...] = (DATA, BUDGET, BATCH, BATCH_TASKS, RATE, RATE_TASKS)
