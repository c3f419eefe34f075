"""What hardware does per second and costs per hour, as formulas for `cost=` and constraints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import InputError
from ..law import Law, Parameter, Variable
from ..result import Fit
from ..tables import listed

__all__ = ["HARDWARE", "TIME", "Hardware", "as_formula", "hardware"]

_SIXTEEN = 16.0


@dataclass(frozen=True)
class Hardware:
    """One kind of device. Make your own, or change one: ``dataclasses.replace(h100, price=1.9)``.

    Attributes
    ----------
    name : str
    peak : mapping of float to float
        Bits of the operands -> FLOP/s of dense products. Widths between run at the next wider one.
    bandwidth : float
        Bytes/s of the device's memory.
    memory : float
        Bytes.
    power : float
        Watts at full load.
    price : float
        Dollars per hour; 0 until the user says.
    utilisation : float
        Share of the peak that training reaches.
    prefill, decode : float
        Share of the peak that reading a prompt reaches, and share of the bandwidth that writing an
        answer reaches.
    overhead : float
        Energy of the building per energy of the devices.
    source : str
    """

    name: str
    peak: Mapping[float, float]
    bandwidth: float
    memory: float
    power: float
    price: float = 0.0
    utilisation: float = 0.4
    prefill: float = 0.5
    decode: float = 0.6
    overhead: float = 1.1
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.peak:
            raise InputError(f"{self.name}: peak needs at least one width of bits")
        sizes = [*self.peak.values(), self.bandwidth, self.memory, self.power]
        shares = (self.utilisation, self.prefill, self.decode)
        if min(sizes) <= 0 or min(shares) <= 0 or max(shares) > 1 or self.price < 0:
            raise InputError(
                f"{self.name}: rates and sizes must be above 0, shares between 0 and 1, the price "
                "at least 0"
            )

    def rate(self, bits: str | float = _SIXTEEN) -> str:
        """Return peak FLOP/s as a formula of the bits of the operands."""
        widths = sorted(self.peak)
        if not isinstance(bits, str):
            fitting = [w for w in widths if bits <= w] or widths[-1:]
            return repr(float(self.peak[fitting[0]]))
        text = repr(float(self.peak[widths[-1]]))
        for width in reversed(widths[:-1]):
            text = f"where({bits} <= {width!r}, {float(self.peak[width])!r}, {text})"
        return text

    def hours(self, flop: str = "6*N*D", bits: str | float = _SIXTEEN) -> str:
        """Return device-hours of training."""
        return f"({flop}) / ({self.rate(bits)} * {3600 * self.utilisation!r})"

    def days(
        self, flop: str = "6*N*D", devices: str | float = 1, bits: str | float = _SIXTEEN
    ) -> str:
        """Return days of training on so many devices, all of them equally busy."""
        return f"({self.hours(flop, bits)}) / (24 * ({devices}))"

    def serving_hours(
        self,
        prompt: str | float = "D_in",
        answer: str | float = "D_out",
        *,
        bits: str | float = _SIXTEEN,
        weights: str | float | None = None,
        batch: float = 32,
        cache: str | float = 0,
    ) -> str:
        """Return device-hours of reading prompts and writing answers.

        Prompts are bound by arithmetic, 2 N per token; answers by memory, which reads all weights
        once per step of a batch and each sequence's cache, or by arithmetic where that is slower.

        Parameters
        ----------
        prompt, answer : str or float
            Tokens over the model's life.
        bits : str or float
            Of the operands.
        weights : str or float, optional
            Bits per stored weight; default: `bits`.
        batch : float
            Sequences that are served together.
        cache : str or float
            Bytes of keys and values of one sequence.
        """
        read = f"2 * N * ({prompt}) / ({self.rate(bits)} * {self.prefill!r})"
        return (
            f"({read} + ({answer}) * {self._step(bits, weights, batch, cache)} / {batch!r}) / 3600"
        )

    def seconds_per_token(
        self,
        *,
        bits: str | float = _SIXTEEN,
        weights: str | float | None = None,
        batch: float = 1,
        cache: str | float = 0,
        devices: str | float = 1,
    ) -> str:
        """Return the time between two tokens of an answer, on devices that share the weights."""
        return f"{self._step(bits, weights, batch, cache)} / ({devices})"

    def _step(
        self, bits: str | float, weights: str | float | None, batch: float, cache: str | float
    ) -> str:
        stored = bits if weights is None else weights
        moved = f"(N * ({stored}) / 8 + {batch!r} * ({cache})) / {self.bandwidth * self.decode!r}"
        return f"max({moved}, 2 * N * {batch!r} / ({self.rate(bits)} * {self.prefill!r}))"

    def dollars(self, hours: str) -> str:
        """Return what device-hours cost.

        Raises
        ------
        InputError
            If no price is set.
        """
        if self.price <= 0:
            raise InputError(
                f"{self.name} has no price; set one: dataclasses.replace(..., price=2.0)"
            )
        return f"{self.price!r} * ({hours})"

    def energy(self, hours: str) -> str:
        """Return kWh of device-hours, the building's share included."""
        return f"{self.power * self.overhead / 1000!r} * ({hours})"

    def fits(self, stored: str, devices: str | float = 1) -> str:
        """Return the constraint that so many bytes fit on the devices together."""
        return f"{stored} <= {self.memory!r} * ({devices})"


def hardware(name: str) -> Hardware:
    """Return a device of the table by name; `HARDWARE` holds all.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in HARDWARE:
        raise InputError(f"there is no hardware {name!r}; known: {listed(HARDWARE)}")
    return HARDWARE[name]


# Dense rates from the makers' data sheets. Prices change by the week: the user's to set.
HARDWARE: dict[str, Hardware] = {
    h.name: h
    for h in (
        Hardware(
            "A100-80GB", {8.0: 624e12, 16.0: 312e12}, 2.039e12, 80e9, 400.0,
            source="NVIDIA A100 data sheet, SXM; 8 bits are integers",
        ),
        Hardware(
            "H100", {8.0: 1979e12, 16.0: 989.5e12}, 3.35e12, 80e9, 700.0,
            source="NVIDIA H100 data sheet, SXM, without sparsity",
        ),
        Hardware(
            "H200", {8.0: 1979e12, 16.0: 989.5e12}, 4.8e12, 141e9, 700.0,
            source="NVIDIA H200 data sheet, SXM, without sparsity",
        ),
        Hardware(
            "MI300X", {8.0: 2614.9e12, 16.0: 1307.4e12}, 5.3e12, 192e9, 750.0,
            source="AMD Instinct MI300X data sheet, without sparsity",
        ),
    )
}  # fmt: skip

TIME = Law(
    "t_0 + c * N * D / k**gamma",
    [
        Parameter("t_0", "log", start=(1.0, 1e4), description="start-up, seconds"),
        Parameter("c", "log", start=(1e-16, 1e-12), description="seconds per parameter and token"),
        Parameter(
            "gamma", start=(0.5, 1.0), description="1: devices do not get in each other's way"
        ),
    ],
    [
        Variable("N", "parameters", "model parameters", span=(1e7, 1e11)),
        Variable("D", "tokens", "training tokens", span=(1e8, 1e12)),
        Variable("k", "devices", "devices of the run", span=(1, 4096)),
    ],
    name="training-time",
    target="seconds",
    notes="Wall-clock of a user's own runs, to be fitted to them: `lawfit.fit(TIME, runs)`.",
)


def as_formula(fit: Fit) -> str:
    """Return a fitted law with its parameters as numbers, for `cost=` and constraints.

    So a model of wall-clock time that was fitted to one's own runs becomes a limit:
    ``constraints=[f"{as_formula(times)} <= 30 * 86400"]``.

    Raises
    ------
    InputError
        If the law has a parameter per level of a group.
    """
    import re

    if fit.law.groups:
        raise InputError(f"{fit.law}: a formula of one level is needed, not one with groups")
    values = {n: f"({v!r})" for n, v in fit.params.items()}
    text = re.sub(r"\b[A-Za-z_]\w*\b", lambda m: values.get(m[0], m[0]), fit.law.formula)
    return f"({text})"
