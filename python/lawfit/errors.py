"""The errors lawfit raises: what was given, what was expected, and where."""

from __future__ import annotations

__all__ = ["FitError", "FormulaError", "InputError", "Interrupted", "LawfitError"]


class LawfitError(Exception):
    """Base of every error that lawfit raises on purpose."""


class InputError(LawfitError, ValueError):
    """What the user gave cannot be used; the message says what and where."""


class FormulaError(InputError):
    """A formula cannot be used; the message shows the text and points at the character.

    Attributes
    ----------
    text : str
        The formula as given.
    position : int
        Index of the offending character in `text`, counted from 0.
    """

    def __init__(self, reason: str, text: str, position: int) -> None:
        self.reason = reason
        self.text = text
        self.position = position
        shown = text.encode("utf-8", "replace").decode()  # half surrogates cannot be printed
        super().__init__(f"{reason} (character {position + 1})\n  {shown}\n  {' ' * position}^")


class FitError(LawfitError, RuntimeError):
    """The input is fine but no fit came out of it; the message says why."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C stopped a long run; what was finished is in `result`.

    Attributes
    ----------
    result : Fit, Bootstrap or None
        Made of the finished part; None if nothing was finished.
    """

    def __init__(self, message: str, result: object = None) -> None:
        self.result = result
        super().__init__(message)
