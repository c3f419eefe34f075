"""The catalogue: every law by name, by theme, or made for a number of breaks or domains."""

from __future__ import annotations

import difflib

from ..errors import InputError
from ..law import Law
from ..tables import named
from . import (
    applied,
    architecture,
    axes,
    broken,
    compute,
    dense,
    distillation,
    domains,
    downstream,
    hyperparameters,
    imaging,
    inference,
    kaplan,
    mixtures,
    overtraining,
    precision,
    quantization,
    recipes,
    reinforcement,
    repetition,
    schedule,
    serving,
    solvable,
    sparsity,
    spectra,
    theory,
    transfer,
)
from .broken import bnsl
from .downstream import sloth
from .mixtures import data_mixing
from .repetition import data_filtering

__all__ = ["as_law", "bnsl", "data_filtering", "data_mixing", "law", "laws", "sloth", "themes"]

# In the order of the catalogue.
_MODULES = (
    dense,
    kaplan,
    compute,
    architecture,
    hyperparameters,
    schedule,
    overtraining,
    repetition,
    mixtures,
    precision,
    quantization,
    sparsity,
    distillation,
    axes,
    downstream,
    transfer,
    inference,
    serving,
    reinforcement,
    domains,
    imaging,
    recipes,
    applied,
    broken,
    spectra,
    solvable,
    theory,
)
_THEMES = {module.__name__.rpartition(".")[2]: module for module in _MODULES}
_CATALOGUE: dict[str, Law] = {law.name: law for module in _MODULES for law in module.LAWS}


def themes() -> dict[str, str]:
    """Return the themes of the catalogue: what each is about, by name."""
    return {name: (module.__doc__ or "").strip() for name, module in _THEMES.items()}


def laws(theme: str | None = None) -> tuple[str, ...]:
    """Return the names of the laws in the catalogue, or of one theme.

    Raises
    ------
    InputError
        If there is no such theme.
    """
    if theme is None:
        return tuple(_CATALOGUE)
    if theme not in _THEMES:
        raise InputError(f"there is no theme {theme!r}; known: {', '.join(_THEMES)}")
    return tuple(law.name for law in _THEMES[theme].LAWS)


def law(name: str) -> Law:
    """Return a law of the catalogue.

    Raises
    ------
    InputError
        If there is none of that name; the message names the closest.
    """
    if name not in _CATALOGUE:
        close = difflib.get_close_matches(name, _CATALOGUE, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known: {named(_CATALOGUE)}"
        raise InputError(f"there is no law {name!r} in the catalogue; {hint}")
    return _CATALOGUE[name]


def as_law(given: Law | str) -> Law:
    """Return a law from a `Law`, a name of the catalogue, or the text of a formula."""
    if isinstance(given, Law):
        return given
    if not isinstance(given, str):
        raise InputError(f"a law is a Law, a name or a formula, not {type(given).__name__}")
    if given in _CATALOGUE:
        return _CATALOGUE[given]
    if given.replace("-", "_").isidentifier():
        return law(given)  # a bare word is a mistyped name, not a formula
    return Law(given)
