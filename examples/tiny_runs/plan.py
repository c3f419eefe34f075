"""Which models are trained, on how much, in which order."""

from __future__ import annotations

from typing import NamedTuple

from model import FULL, non_embedding

BATCH = 512  # predictions per step
WARM_UP = 64  # steps
DECAY = 4  # the last quarter of a run lowers the learning rate to zero
WIDTHS = (32, 48, 80, 128, 192, 288)
BITS = (2, 3, 4, 6, 8, FULL)
RATE, RATE_EXPONENT = 9.5e-3, -0.44  # learning rate of 1e5 parameters, and its power of N


class Group(NamedTuple):
    """Members that train side by side: one width, one seed, one order of the data.

    Each entry of `members` is (bits of weights, bits of activations, log2 of unique tokens or 0
    for a single epoch, learning rate as a multiple of the rule's).
    """

    kind: str
    width: int
    seed: int
    members: tuple[tuple[int, int, int, float], ...]
    first: int  # log2 of tokens at the first end point
    last: int  # log2 of tokens at the last

    @property
    def name(self) -> str:
        """Name the group in file names."""
        return f"{self.kind}-{self.width}-{self.seed}"


class Stage(NamedTuple):
    """A group trained on to its end point of 2**tokens."""

    group: Group
    tokens: int

    @property
    def turn(self) -> float:
        """Say when it is run: by the work, in parameter-tokens, the common grid before the rest.

        The common grid is six token counts for every width. The constant is for what is not a
        product of matrices.
        """
        work = (non_embedding(self.group.width) + 20_000) * len(self.group.members) * 2**self.tokens
        common = self.group.kind == "grid" and self.tokens < self.group.first + 6
        return work * (1 if common else 4)


def rate(width: int) -> float:
    """Return the learning rate: a power of N through the best rates of two widths.

    The best of a width is the vertex of the parabola through the three lowest losses of `sweep`,
    not quantised, over the logarithm of the rate: 1.67e-2 at width 48 (1.63e-2 with four times the
    tokens) and 7.06e-3 at width 128; with 3 bits 1.69e-2 and 7.4e-3.
    """
    return RATE * (non_embedding(width) / 1e5) ** RATE_EXPONENT


def _groups() -> list[Group]:
    weights = tuple((bits, FULL, 0, 1.0) for bits in BITS)
    groups = [Group("grid", width, 0, weights, 17, 24) for width in WIDTHS]
    some = tuple((bits, FULL, 0, 1.0) for bits in (2, 4, FULL))
    for width, last in ((32, 22), (80, 21), (192, 19)):
        groups += [Group("seeds", width, seed, some, 17, last) for seed in (1, 2)]
    both = tuple((w, a, 0, 1.0) for w, a in ((FULL, 3), (FULL, 4), (FULL, 6), (4, 4), (8, 8)))
    for width, last in ((32, 22), (80, 21), (192, 19)):
        groups.append(Group("activations", width, 0, both, 17, last))
    again = tuple((FULL, FULL, unique, 1.0) for unique in (15, 16, 17, 18))
    for width, last in ((32, 22), (80, 21), (192, 20)):
        groups.append(Group("repeated", width, 0, again, 17, last))
    return groups


def stages() -> list[Stage]:
    """List the work, cheap stages first; the stages of a group follow each other."""
    found = [Stage(g, t) for g in _groups() for t in range(g.first, g.last + 1)]
    found = [s for s in found if all(2**s.tokens > 2 ** m[2] for m in s.group.members if m[2])]
    return sorted(found, key=lambda stage: stage.turn)


def sweep() -> list[Stage]:
    """List the runs that the learning-rate rule comes from, seven rates each, and a test of it.

    The test is the largest width, tried after its runs of the grid.
    """

    def members(width: int, bits: tuple[int, ...]) -> tuple[tuple[int, int, int, float], ...]:
        middle = 4e-3 * (non_embedding(width) / 1e5) ** -0.25 / rate(width)
        return tuple((b, FULL, 0, middle * 2.0**i) for b in bits for i in range(-3, 4))

    both = (3, FULL)
    tried = (
        (48, 19, 100, both),
        (128, 19, 100, both),
        (48, 21, 101, both),
        (288, 19, 102, (FULL,)),
    )
    return [Stage(Group("sweep", w, seed, members(w, bits), t, t), t) for w, t, seed, bits in tried]
