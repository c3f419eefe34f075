"""What a fit is drawn towards: squared distances between parameters and values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from .errors import InputError
from .groups import Groups

__all__ = ["LinearForm", "Penalties", "Penalty", "linear_forms", "read_penalties"]

# What it is drawn towards, a number or a parameter's name, and the standard deviation.
Penalty = tuple[float | str, float]
Penalties = Mapping[str, Penalty]
# Indices in x, their coefficients, and the offset of a residual whose half square is added.
LinearForm = tuple[list[int], list[float], float]


def read_penalties(given: Mapping[str, Any] | None) -> dict[str, Penalty]:
    """Return penalties as (centre, standard deviation).

    Raises
    ------
    InputError
        If one is no such pair, or its standard deviation is not a positive number.
    """
    found: dict[str, Penalty] = {}
    for name, pair in (given or {}).items():
        try:
            centre, sd = pair
            centre, sd = centre if isinstance(centre, str) else float(centre), float(sd)
        except (TypeError, ValueError):
            raise InputError(
                f"penalties: {name}: {pair!r} must be (value or parameter, standard deviation)"
            ) from None
        if not (math.isfinite(sd) and sd > 0):
            raise InputError(f"penalties: {name}: standard deviation {sd:g} must be above 0")
        if not isinstance(centre, str) and not math.isfinite(centre):
            raise InputError(f"penalties: {name}: {centre} is not a finite number")
        found[name] = (centre, sd)
    return found


def linear_forms(
    penalties: Penalties,
    groups: Groups,
    *,
    is_log: Callable[[str], bool],
    coordinate: Callable[[str], tuple[int, float]],
) -> list[LinearForm]:
    """Write penalties over the coordinates x as residuals ``sum c_k x_k - offset``.

    Parameters
    ----------
    penalties : mapping of str to (float or str, float)
        From `read_penalties`; a parameter ``E[family]`` stands as E for all levels.
    groups : Groups
    is_log : callable
        Whether a parameter's coordinate is its logarithm.
    coordinate : callable
        The index in x of a parameter (-1: it is fixed) and the coordinate it is fixed at.

    Raises
    ------
    InputError
        If a name is unknown or a centre has no place in the coordinate.
    """
    forms = []
    for name, (centre, sd) in penalties.items():
        for member in groups.members.get(name, (name,)):
            if member not in groups.stem:
                known = ", ".join(groups.stem)
                raise InputError(f"penalties: {name!r} is not a parameter; parameters: {known}")
            if member != name and member in penalties:
                continue  # the level's own goes before
            terms, offset = {member: 1.0}, 0.0
            if isinstance(centre, str):
                towards = _centres(name, member, centre, groups)
                for other in towards:
                    terms[other] = terms.get(other, 0.0) - 1.0 / len(towards)
                    if is_log(other) != is_log(member):
                        raise InputError(
                            f"penalties: {member} cannot be drawn towards {other}: one is a scale "
                            "factor fitted as its logarithm, the other is not"
                        )
            elif not is_log(member):
                offset = centre
            elif centre > 0:
                offset = math.log(centre)
            else:
                raise InputError(
                    f"penalties: {member} is a positive scale factor; {centre:g} is not above 0"
                )
            merged: dict[int, float] = {}
            for parameter, coefficient in terms.items():
                k, fixed_at = coordinate(parameter)
                if k >= 0:
                    merged[k] = merged.get(k, 0.0) + coefficient
                elif coefficient:
                    offset -= coefficient * fixed_at
            if not math.isfinite(offset):
                raise InputError(f"penalties: {member}: what it is drawn towards is fixed at 0")
            used = {k: c for k, c in merged.items() if c}
            forms.append(([*used], [c / sd for c in used.values()], offset / sd))
    return forms


def _centres(name: str, member: str, centre: str, groups: Groups) -> tuple[str, ...]:
    """Return the parameters whose mean is the centre."""
    if centre == name and name in groups.column:
        return groups.members[name]
    if centre in groups.column:
        if name in groups.column and groups.column[name] == groups.column[centre]:
            return (f"{centre}[{member.partition('[')[2]}",)
        raise InputError(
            f"penalties: {name} cannot be drawn towards {centre}, which has one value per level of "
            f"{groups.column[centre]}; name a level, as {groups.members[centre][0]}"
        )
    if centre not in groups.stem:
        known = ", ".join(groups.stem)
        raise InputError(
            f"penalties: {name}: there is no parameter {centre!r}; parameters: {known}"
        )
    if centre == member:
        raise InputError(
            f"penalties: {name} is drawn towards itself; only levels of a group can be"
        )
    return (centre,)
