"""Three laws of numerical precision on one table, compared on runs that they have not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import lawfit as lf
from reproduction import number, rows_of_table, table

BASE = [
    lf.Parameter("A", "log", start=(1.0, 1e8)),
    lf.Parameter("alpha", start=(0.03, 1.0)),
    lf.Parameter("B", "log", start=(1.0, 1e8)),
    lf.Parameter("beta", start=(0.05, 1.0)),
    lf.Parameter("E", "log", start=(0.01, 3.0)),
]
GAMMA = lf.Parameter("gamma", "log", start=(0.2, 20.0))
NU = lf.Parameter("nu", bounds=(0.0, 20.0), start=(0.5, 6.0))
# The unquantized runs have no penalty by definition where a law is one of degradation.
QUANTIZED = "where(P >= 16, 0, 1)"


def law(formula: str, *more: lf.Parameter) -> lf.Law:
    return lf.Law(formula, [*BASE, *more], ["N", "D"] + ["P"] * ("P" in formula))


TABLE = "one efficiency per width (QuEST)"
LAWS: dict[str, lf.Law] = {
    "effective parameters (Kumar et al.)": law(
        "E + A / (N * (1 - exp(-P / gamma))**2)**alpha + B / D**beta", GAMMA
    ),
    "the same with a shift": law(
        "E + A / (N * (1 - exp((P_0 - P) / gamma))**2)**alpha + B / D**beta",
        GAMMA,
        lf.Parameter("P_0", bounds=(-10.0, 0.99), start=(-1.0, 0.9)),
    ),
    "floating point (Sun et al.)": law(
        "E + A / N**alpha + B / D**beta + D**beta / N**alpha / (gamma * (P - 0.5)**nu)",
        lf.Parameter("gamma", "log", start=(1.0, 1e8)),
        NU,
    ),
    "degradation (Ouyang et al.)": law(
        f"E + A / N**alpha + B / D**beta + {QUANTIZED} * k * D**b / (N**a * P**nu)",
        lf.Parameter("k", "log", start=(1e-6, 1e3)),
        lf.Parameter("b", start=(-0.5, 1.0)),
        lf.Parameter("a", start=(-0.5, 1.0)),
        NU,
    ),
    "no bits (Chinchilla)": law("E + A / N**alpha + B / D**beta"),
    TABLE: lf.law("effective-parameters"),
}


def runs() -> lf.Runs:
    """Return the QuEST runs whose weights and activations have the same bits, and those of 16."""
    found = lf.read(
        table("quest_precision_runs.csv"),
        where='(group == "quest" and P == a_bits) or group == "bf16"',
        columns={"P": "w_bits"},
    )
    return lf.Runs({n: found[n] for n in ("N", "D", "P", "loss")})


def splits(of: lf.Runs) -> dict[str, np.ndarray]:
    """Return the rows held out, by name of the split."""
    widths = {f"{b:g} bit{'s' if b > 1 else ''}": of["P"] == b for b in np.unique(of["P"])}
    sizes = np.unique(of["N"])
    return widths | {
        "822M": of["N"] == sizes[-1],
        "443M and 822M": of["N"] >= sizes[-2],
        "D / N = 25": of["D"] < 40 * of["N"],
        "D / N = 100, 2 to 4 bits": (of["D"] > 90 * of["N"]) & (of["P"] > 1) & (of["P"] < 8),
    }


@dataclass(frozen=True)
class Held:
    """Errors on rows that a fit had not seen: mean of |log(predicted / measured)|, and its mean."""

    rows: int
    error: float
    bias: float


def errors(fit: lf.Fit, seen: lf.Runs) -> np.ndarray:
    return np.asarray(np.log(fit.predict(seen) / seen["loss"]))


def held_out(of: lf.Law, table_of_runs: lf.Runs, rows: np.ndarray) -> Held:
    fit = lf.fit(of, table_of_runs.take(np.flatnonzero(~rows)))
    error = errors(fit, table_of_runs.take(np.flatnonzero(rows)))
    return Held(int(rows.sum()), float(np.abs(error).mean()), float(error.mean()))


def weights_only() -> Held:
    """Predict runs whose weights alone are quantized from runs with equal bits.

    Only Kumar's law has bits of weights and activations apart. Runs with equal bits cannot tell
    their gammas apart either, so one gamma serves both.
    """
    fit = lf.fit(LAWS["effective parameters (Kumar et al.)"], runs())
    other = lf.read(table("quest_precision_runs.csv"), where='group == "weight_only"')
    tensors = lf.Law(
        "E + A / (N * (1 - exp(-w_bits / gamma)) * (1 - exp(-a_bits / gamma)))**alpha + B / D**beta"
    )
    columns = {n: other[n] for n in ("N", "D", "w_bits", "a_bits")}
    error = np.log(tensors.predict(fit.params, columns) / other["loss"])
    return Held(other.n, float(np.abs(error).mean()), float(error.mean()))


def folded() -> tuple[lf.Fit, float]:
    """Fit the shifted law without its bound; return also its factor of N at one bit, unsquared."""
    free = law(
        "E + A / (N * (1 - exp(n - P / gamma))**2)**alpha + B / D**beta",
        GAMMA,
        lf.Parameter("n", bounds=(-5.0, 0.9), start=(-1.0, 0.3)),
    )
    fit = lf.fit(free, runs(), starts=400)
    return fit, float(1.0 - np.exp(fit.params["n"] - 1.0 / fit.params["gamma"]))


INTRODUCTION = """\
# Three laws of precision on one table

How does the loss depend on the bits that a model is trained in? Three published answers differ in
form, not only in coefficients. Here they are fitted to the same runs and compared on runs that
they have not seen. The page is written by `bench/reproductions.py`; the tests hold its headline
figures.

**Runs.** {rows} of the 104 runs of QuEST (arXiv 2502.05003): 30M to 822M parameters without
embeddings, 25 to 101 tokens per parameter, weights and activations trained in the same 1, 2, 3, 4
or 8 bits, and six runs in 16. Loss on C4. The runs with other methods, sparse weights, another
format or weights alone are left out.

**Laws.** All have Chinchilla's three terms with free coefficients; they differ in what bits do.

| law | bits enter as | coefficients |
|---|---|---:|
{laws}

- *Effective parameters* (Kumar et al., arXiv 2411.04330): a factor of N per quantized tensor,
  here two equal ones, with one gamma: equal bits cannot tell two apart. The cache is not
  quantized in these runs. With a shift, their appendix K, the factor vanishes at P_0 bits; P_0 is
  held below 1, or there is no law at 1 bit.
- *Floating point* (Sun et al., arXiv 2501.02423): a penalty that grows with D / N, sharing both
  exponents with the terms of the loss. Its bits are exponent and mantissa; these runs are of
  integers. Mapping: an integer of P bits is a sign and P - 1 bits of magnitude, so M + 0.5 = P -
  0.5 and no exponent; its factor, and that of the block size, which is the same in all runs, go
  into gamma. What the law says on how to divide bits between exponent and mantissa, its main
  result, cannot be tried here.
- *Degradation* (Ouyang et al., arXiv 2411.17691): a product of powers added to the loss in 16
  bits. It was found for weights quantized after training; here it is asked about training in few
  bits, with exponents free in sign. It is 0 in 16 bits by definition.
- For scale: Chinchilla's law, which does not know bits, and QuEST's own, a free efficiency for
  every width, which says nothing about a width it has not seen.

Fits: `Huber(1e-3)` of log loss, automatic starts, all of one law's starts in its own ranges."""

READING = """\
## Reading

- **Across sizes and tokens any of the three will do; across bits none is safe.** For the largest
  model the errors are 0.8 to 2.4 %, for widths within the range 0.3 to 3.4 %. Outside the range
  of bits they are 5 to 57 %.
- **At one bit, held out, the simplest law is the best**: effective parameters without shift
  misses by 5.4 %, the powers of bits by 25 and 42 %, because they have seen nothing that keeps
  them from growing without end; the shifted law by 57 %, because its P_0 may be anywhere up to
  one bit.
- **In the range, more freedom pays**: the shifted law and the degradation law fit to 0.8 and 1.0
  % where the other two leave 1.4 to 1.5 %, and predict held-out 3, 4 and 8 bits within 0.3 to 1.2
  %.
- **The form that the floating-point law insists on is not in these runs.** Its penalty has to
  grow with D / N with the exponents of the loss. The degradation law, whose exponents are free,
  wants {b:+.2f} of D and {a:+.2f} of N: training in few bits costs less with more data. Where D
  grows with N that is {net:+.2f} of N, close to effective parameters, in which it falls as
  N^-alpha whatever D is. The published law of degradation *after* training has +0.53 of D: the
  two are different phenomena.
- **No law reaches the table's own noise.** One efficiency per width leaves 0.36 %. A smooth law
  in bits with as small an error would be worth having: none of the three is it.
- **Beware of the shift without a bound.** It then fits as well as the table of efficiencies
  ({folded:.2f} % against 0.36 %), by a factor of {factor:.3f} at one bit, whose square is as good
  as that of a positive one. Only {hits} of {starts} starts find that minimum, and it is no law:
  somewhere between one and two bits its loss is infinite.
- **Weights alone**: {weights} runs with 16-bit activations, not used in any fit. Kumar's law, the
  only one of the three that can be asked, predicts them within {error:.1f} %, {sign}.
- The irreducible loss is not identified in this range of N and D (E runs from 0 to 1.2); do not
  read it, or alpha and beta, from such a fit.

This is one table of small models from one laboratory and one method of training. The ranking may
differ for other formats; the lesson about extrapolating in bits will not."""


def percent(share: float) -> str:
    return f"{100 * share:.2f}"


def page() -> str:
    """Return docs/precision_laws.md."""
    of = runs()
    fits = {name: lf.fit(each, of) for name, each in LAWS.items()}
    enters = {
        "effective parameters (Kumar et al.)": "N (1 - exp(-P / gamma))^2 for N",
        "the same with a shift": "N (1 - exp((P_0 - P) / gamma))^2 for N",
        "floating point (Sun et al.)": "+ D^beta / N^alpha / (gamma (P - 0.5)^nu)",
        "degradation (Ouyang et al.)": "+ k D^b / (N^a P^nu) below 16 bits",
        "no bits (Chinchilla)": "not at all",
        TABLE: "eff_P N for N",
    }
    laws = rows_of_table((n, f"`{enters[n]}`", str(len(f.free))) for n, f in fits.items())
    inside = [("law", "objective", "root mean square, %", "starts at it", "bits' coefficients")]
    inside += [("---", "---:", "---:", "---:", "---")]
    base = {p.name for p in BASE}
    for name, fit in fits.items():
        rms = float(np.sqrt(np.mean(errors(fit, of) ** 2)))
        rest = ", ".join(f"{k} {number(v)}" for k, v in fit.params.items() if k not in base)
        inside.append(
            (
                name,
                f"{fit.objective:.6f}",
                percent(rms),
                f"{fit.starts.hits} of {fit.starts.n}",
                rest,
            )
        )
    outside = splits(of)
    head = ["held out (rows)", *LAWS]
    lines = [head, ["---", *["---:"] * len(LAWS)]]
    for split, rows in outside.items():
        cells = []
        seen = set(of["P"][~rows].tolist())
        for name, each in LAWS.items():
            if name == TABLE and not set(of["P"][rows].tolist()) <= seen:
                cells.append("-")
                continue
            found = held_out(each, of, rows)
            cells.append(f"{percent(found.error)} ({100 * found.bias:+.1f})")
        lines.append([f"{split} ({rows.sum()})", *cells])
    alone = weights_only()
    fold, factor = folded()
    degradation = fits["degradation (Ouyang et al.)"].params
    reading = READING.format(
        b=degradation["b"],
        a=-degradation["a"],
        net=degradation["b"] - degradation["a"],
        folded=100 * float(np.sqrt(np.mean(errors(fold, of) ** 2))),
        factor=factor,
        hits=fold.starts.hits,
        starts=fold.starts.n,
        weights=alone.rows,
        error=100 * alone.error,
        sign="too low" if alone.bias < 0 else "too high",
    )
    parts = [
        INTRODUCTION.format(rows=of.n, laws=laws),
        "## On all runs",
        rows_of_table(inside),
        "## On runs not seen",
        "Mean error of the loss in per cent, in brackets with its sign. Each row is a fit without "
        "the rows named.",
        rows_of_table(lines),
        reading,
    ]
    return "\n\n".join(parts) + "\n"
