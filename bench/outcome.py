"""What a method hands back: one end point per start, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


class UnavailableError(Exception):
    """A method cannot run here or does not know the problem's form; the message says why."""


@dataclass(frozen=True)
class Outcome:
    """End points of the starts that were run.

    Parameters
    ----------
    x : ndarray of shape (starts, coordinates)
        Of the starts that were run, the first of those given; nan where a method gave none.
    status : list of str
        The method's own word for how each start ended.
    evaluations : int, optional
        Of the objective, of all starts.
    setup_seconds : float
        Compilation, not counted in the time.
    seconds, cpu_seconds : float, optional
        The method's own clock, where it runs in another process.
    facts : dict of str to float
        Numbers of the method's own, such as its count of starts.
    """

    x: np.ndarray
    status: list[str]
    evaluations: int | None = None
    setup_seconds: float = 0.0
    seconds: float | None = None
    cpu_seconds: float | None = None
    facts: dict[str, float] = field(default_factory=dict)
