"""The slow NumPy twin of the engine: formulas, gradients, objectives and minima, for tests.

Nothing here is fast and nothing is shared with the C++ engine, so an agreement between the
two is evidence. Derivatives come from forward-mode dual numbers, arithmetic is in
``np.longdouble`` (80 bits on x86, plain double on some other machines) and results are
rounded to float64 at the end.

Conventions
-----------
* ``abs`` has slope 0 at 0; ``min`` and ``max`` follow their first argument on ties.
* A condition is 0 or 1 and has derivative 0; any value other than 0 counts as true.
* ``where`` takes values and derivatives from the chosen branch only.
* A constant has derivative 0 even through an infinite slope, and a function that is flat at
  an infinite argument stays flat, so ``B / D**beta`` has derivative 0 at ``D = inf``.
* ``x**b`` has derivative 0 along ``b`` where ``x**b`` is 0, at ``0**0``, and where ``x`` is
  negative (defined at whole ``b`` only; at any other ``b`` value and derivative are nan).
"""

from lawfit.reference.formulas import evaluate, evaluate_with_gradient
from lawfit.reference.grids import grid_search
from lawfit.reference.losses import LossSpec, log_normaliser, loss_functions, tail
from lawfit.reference.minimum import minimise
from lawfit.reference.objectives import gauss_newton_matrix, objective, objective_gradient

__all__ = [
    "LossSpec",
    "evaluate",
    "evaluate_with_gradient",
    "gauss_newton_matrix",
    "grid_search",
    "log_normaliser",
    "loss_functions",
    "minimise",
    "objective",
    "objective_gradient",
    "tail",
]
