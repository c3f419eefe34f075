"""The catalogue: every law by name, by theme, or made for a number of breaks or domains."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..law import Law
from ..tables import named

if TYPE_CHECKING:
    from .broken import bnsl
    from .downstream import sloth
    from .mixtures import data_mixing
    from .repetition import data_filtering

__all__ = ["as_law", "bnsl", "data_filtering", "data_mixing", "law", "laws", "sloth", "themes"]

# In the order of the catalogue.
_MODULES = (
    "dense",
    "kaplan",
    "compute",
    "architecture",
    "hyperparameters",
    "schedule",
    "overtraining",
    "repetition",
    "mixtures",
    "precision",
    "quantization",
    "sparsity",
    "distillation",
    "axes",
    "downstream",
    "transfer",
    "inference",
    "serving",
    "reinforcement",
    "domains",
    "imaging",
    "recipes",
    "applied",
    "broken",
    "spectra",
    "solvable",
    "theory",
)
_FUNCTIONS = {
    "bnsl": "broken",
    "data_filtering": "repetition",
    "data_mixing": "mixtures",
    "sloth": "downstream",
}


@cache
def _themes() -> dict[str, ModuleType]:
    return {name: import_module(f"{__name__}.{name}") for name in _MODULES}


@cache
def _catalogue() -> dict[str, Law]:
    """Make the laws when the first is asked for: to import lawfit takes half the time without."""
    return {law.name: law for module in _themes().values() for law in module.LAWS}


def __getattr__(name: str) -> Any:
    if name not in _FUNCTIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_themes()[_FUNCTIONS[name]], name)


def themes() -> dict[str, str]:
    """Return the themes of the catalogue: what each is about, by name."""
    return {name: (module.__doc__ or "").strip() for name, module in _themes().items()}


def laws(theme: str | None = None) -> tuple[str, ...]:
    """Return the names of the laws in the catalogue, or of one theme.

    Raises
    ------
    InputError
        If there is no such theme.
    """
    if theme is None:
        return tuple(_catalogue())
    if theme not in _themes():
        raise InputError(f"there is no theme {theme!r}; known: {', '.join(_themes())}")
    return tuple(law.name for law in _themes()[theme].LAWS)


def law(name: str) -> Law:
    """Return a law of the catalogue.

    Raises
    ------
    InputError
        If there is none of that name; the message names the closest.
    """
    if name not in _catalogue():
        close = difflib.get_close_matches(name, _catalogue(), n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known: {named(_catalogue())}"
        raise InputError(f"there is no law {name!r} in the catalogue; {hint}")
    return _catalogue()[name]


def as_law(given: Law | str) -> Law:
    """Return a law from a `Law`, a name of the catalogue, or the text of a formula."""
    if isinstance(given, Law):
        return given
    if not isinstance(given, str):
        raise InputError(f"a law is a Law, a name or a formula, not {type(given).__name__}")
    if given in _catalogue():
        return _catalogue()[given]
    if given.replace("-", "_").isidentifier():
        return law(given)  # a bare word is a mistyped name, not a formula
    return Law(given)
