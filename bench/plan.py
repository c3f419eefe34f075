"""Times plans beside SciPy's differential evolution and SLSQP on the same problems."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize

import lawfit as lf
import machine
from store import write

SLSQP_STARTS = 20
NAMES = {n: getattr(np, n) for n in "exp log log2 sqrt tanh abs where".split()}
NAMES |= {"min": np.minimum, "max": np.maximum}
HELD = 1e-6  # largest relative violation after which a point is moved to where all limits hold
Loss = Callable[[np.ndarray], float]

PROBLEMS: dict[str, dict[str, Any]] = {
    "least loss for 1e24 FLOP": {
        "law": "chinchilla", "params": "besiroglu2024", "budget": 1e24,
        "over": {"N": (1e6, 1e14), "D": (1e6, 1e16)},
    },
    "least lifetime FLOP for a loss, 2e12 tokens served": {
        "law": "chinchilla", "params": "hoffmann2022", "target_loss": 2.05,
        "cost": "6*N*D + 2*N*D_inf", "over": {"N": (1e6, 1e14), "D": (1e6, 1e16), "D_inf": 2e12},
    },
    "2e10 unique tokens": {
        "law": "data-constrained", "params": "muennighoff2023", "budget": 1e22,
        "over": {"N": (1e6, 1e14), "D": (1e6, 1e16), "U": 2e10},
    },
    "13 widths of weights": {
        "law": "precision-weights", "params": "kumar2024-integer", "budget": 1e22,
        "cost": "6*N*D*(16 + P_w)/32",
        "over": {"N": (1e6, 1e14), "D": (1e6, 1e16), "P_w": list(range(4, 17))},
    },
    "bits of weights and activations, memory, tokens": {
        "law": "precision-shifted", "params": "kumar2024", "budget": 1e22,
        "cost": "6*N*D*(P_w + P_a)/32", "constraints": ["N * P_w / 8 <= 2e9", "D <= 4e11"],
        "over": {"N": (1e6, 1e14), "D": (1e6, 1e16), "P_w": (3.0, 16.0), "P_a": (4.0, 16.0),
                 "P_kv": 16, "P_post": 16},
    },
}  # fmt: skip


class Theirs:
    """A problem as SciPy takes it: logarithms of what varies, written in NumPy."""

    def __init__(self, plan: lf.Plan) -> None:
        p = plan.problem
        self.names = [*p.ranges, *p.listed]
        ends = [p.ranges[n] for n in p.ranges]
        ends += [(c.values.min(), c.values.max()) for c in p.choices]
        self.whole = np.array([n in p.listed for n in self.names])
        self.bounds = [
            ends[k] if self.whole[k] else tuple(np.log(ends[k])) for k in range(len(self.names))
        ]
        fixed = {**p.params, **p.fixed, "_limit": p.limit}
        goal = p.formula if p.budget is not None else f"log({p.cost})"
        codes = [compile(goal, "goal", "eval")]
        codes += [
            compile(f"log(({k.left}) / ({k.right}))", "limit", "eval") for k in p.all_limits()
        ]
        self.calls = 0
        self.towards = 1.0 if p.budget is not None else -1.0

        def value(k: int, z: np.ndarray) -> float:
            self.calls += 1
            point = np.where(self.whole, z, np.exp(z))
            names = {**NAMES, **fixed, **dict(zip(self.names, point, strict=True))}
            return float(eval(codes[k], {"__builtins__": {}}, names))

        self.goal = lambda z: value(0, z)
        self.limits = lambda z: np.array([value(k, z) for k in range(1, len(codes))])

    def entry(self, x: np.ndarray | None, seconds: float) -> dict[str, Any]:
        if x is None:
            return {"value": None, "violation": None, "seconds": seconds, "calls": self.calls}
        over = float(max(0.0, *self.limits(x)))
        entry = {"violation": over, "seconds": seconds, "calls": self.calls}
        return {"value": self.goal(self.feasible(x)), **entry}

    def feasible(self, x: np.ndarray) -> np.ndarray:
        """Return the point moved until all limits hold: less of all, or more to reach a loss."""
        step = 1e-15
        while max(self.limits(x)) > 1e-15 and step < 1e-6:
            x = np.where(self.whole, x, x - self.towards * step)
            step *= 2
        return x

    def evolution(self) -> dict[str, Any]:
        begun = time.process_time()
        found = optimize.differential_evolution(
            self.goal, self.bounds, seed=0, tol=1e-12, maxiter=400, integrality=self.whole,
            constraints=optimize.NonlinearConstraint(self.limits, -np.inf, 0.0),
        )  # fmt: skip
        return self.entry(found.x, time.process_time() - begun) | {"status": found.message}

    def slsqp(self) -> dict[str, Any]:
        """From random starts; every listed value on its own, as the method knows no lists."""
        begun = time.process_time()
        rng = np.random.default_rng(0)
        low, high = np.array(self.bounds).T
        lists = [
            range(int(a), int(b) + 1)
            for a, b in zip(low[self.whole], high[self.whole], strict=True)
        ]
        best, converged, tried = None, 0, 0
        for listed in np.array(np.meshgrid(*lists)).reshape(len(lists), -1).T if lists else [()]:
            for _ in range(SLSQP_STARTS):
                x0 = rng.uniform(low, high)
                x0[self.whole] = listed
                ends = [(v, v) if w else b
                        for v, w, b in zip(x0, self.whole, self.bounds, strict=True)]  # fmt: skip
                got = optimize.minimize(
                    self.goal, x0, method="SLSQP", bounds=ends,
                    constraints={"type": "ineq", "fun": lambda z: -self.limits(z)},
                    options={"ftol": 1e-15, "maxiter": 500},
                )  # fmt: skip
                tried += 1
                converged += bool(got.success)
                ok = max(0.0, *self.limits(got.x)) <= HELD
                if ok and (best is None or self.goal(got.x) < self.goal(best)):
                    best = got.x
        entry = self.entry(best, time.process_time() - begun)
        return entry | {"status": f"{converged} of {tried} starts succeeded"}


def draws() -> dict[str, Any]:
    """Plan 4,000 draws at 20 budgets over N, D and 13 widths."""
    law = lf.law("precision-weights")
    base = law.coefficients("kumar2024-integer")
    rng = np.random.default_rng(0)
    sample = {k: v * np.exp(rng.normal(0, 0.03, 4000)) for k, v in base.items()}
    plan = lf.plan(
        law, 1e22, params=base, cost="6*N*D*(16 + P_w)/32", over={"P_w": list(range(4, 17))}
    )
    times = []
    for _ in range(5):
        cpu, wall = time.process_time(), time.perf_counter()
        got = plan.draws(sample, limits=np.geomspace(1e18, 1e26, 20), threads=2)
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu, wall = (min(t[k] for t in times) for k in (0, 1))
    print(f"4,000 draws x 20 budgets x 13 widths: {cpu:.2f} s of CPU, {wall:.2f} s on 2 threads")
    return {
        "draws": 4000,
        "budgets": 20,
        "widths": 13,
        "cpu": cpu,
        "wall": wall,
        "failed": got.failed,
        "checked": got.checked,
        "missed": got.missed,
    }


def main() -> None:
    """Run and write bench/results/plan.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "plan.json"
    )
    args = parser.parse_args()
    rows = []
    for name, request in PROBLEMS.items():
        law = request["law"]
        ask = {k: v for k, v in request.items() if k != "law"}
        lf.plan(law, **ask)
        seconds = []
        for _ in range(3):
            begun = time.process_time()
            plan = lf.plan(law, **ask)
            seconds.append(time.process_time() - begun)
        ours = plan["loss"] if plan.problem.budget is not None else math.log(plan["cost"])
        entries = {"lawfit": {"value": ours, "seconds": min(seconds), "residual": plan.residual}}
        for method in ("evolution", "slsqp"):
            entries[method] = getattr(Theirs(plan), method)()
        for method, entry in entries.items():
            value = entry["value"]
            fair = value is not None and entry.get("violation", 0.0) <= HELD
            gap = value - ours if fair else None
            rows.append({"problem": name, "method": method, **entry, "above_ours": gap})
            print(f"{name:52}  {method:10}  {value}  above ours: {gap}  {entry['seconds']:.3f} s")
    write(args.json, {**machine.describe(), "problems": rows, "replanning": draws()})


if __name__ == "__main__":
    main()
