"""Reports of fits: one file with everything that a reader or a reviewer asks about."""

from .make import report
from .material import with_runs

__all__ = ["report", "with_runs"]
