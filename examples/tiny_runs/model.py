"""A stack of small feed-forward language models that train side by side in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from corpus import VOCABULARY
from torch import Tensor
from torch.nn import functional

CONTEXT = 16  # symbols that a prediction sees
BLOCKS = 2  # residual blocks, each width -> 2 width -> width
FULL = 32  # bits that stand for float32, not quantised
BETAS, EPSILON = (0.9, 0.99), 1e-8


def non_embedding(width: int) -> int:
    """Count the weights of the matrices that are quantised: all but embedding and output."""
    return CONTEXT * (width // 4) * width + BLOCKS * 4 * width * width


def total(width: int) -> int:
    """Count all weights."""
    return non_embedding(width) + VOCABULARY * (width // 4) + VOCABULARY * width


def gaussian_step(bits: int) -> float:
    """Return the step, in standard deviations, of the best uniform quantiser of a normal variable.

    Mid-rise with 2**bits levels, least mean square error (Max 1960, "Quantizing for minimum
    distortion"), by search on a grid of steps.
    """
    x = np.linspace(-6, 6, 4801)
    density = np.exp(-(x**2) / 2)
    half = 2 ** (bits - 1)
    steps = np.geomspace(8 / 2**bits / 3, 8 / 2**bits, 400)
    q = (np.clip(np.floor(x / steps[:, None]), -half, half - 1) + 0.5) * steps[:, None]
    return float(steps[np.argmin(((q - x) ** 2 * density).sum(1))])


class Stack:
    """Models of one width that differ in bits, learning rate or data: one per member.

    A model concatenates the embeddings of the last 16 symbols, maps them to `width`, and adds two
    blocks x + W2 relu(W1 norm(x)) before the output matrix. Every matrix is a tensor
    [member, in, out]. All members start from the same values.
    """

    def __init__(
        self,
        width: int,
        weight_bits: Sequence[int],
        activation_bits: Sequence[int],
        rates: Sequence[float],
        seed: int,
    ) -> None:
        self.members = len(weight_bits)
        generator = torch.Generator().manual_seed(seed)

        def matrix(rows: int, columns: int, gain: float = 1.0) -> Tensor:
            values = torch.randn(rows, columns, generator=generator) * gain / math.sqrt(rows)
            return values.expand(self.members, rows, columns).clone()

        e = width // 4
        self.embedding = matrix(VOCABULARY, e, gain=math.sqrt(VOCABULARY))
        self.output = torch.zeros(self.members, width, VOCABULARY)
        self.hidden = [matrix(CONTEXT * e, width)]
        for _ in range(BLOCKS):
            self.hidden += [matrix(width, 2 * width), matrix(2 * width, width, gain=0.5)]
        self.parameters = [self.embedding, self.output, *self.hidden]
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.steps = 0

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)

        self.rates = column(rates)
        quantised = [b < FULL for b in weight_bits]
        self.all_full = not any(quantised)
        self.full = torch.tensor([not q for q in quantised]).view(-1, 1, 1)
        self.step = column([gaussian_step(b) if b < FULL else 1.0 for b in weight_bits])
        self.half = column([2.0 ** (min(b, 8) - 1) for b in weight_bits])
        self.all_smooth = all(b == FULL for b in activation_bits)
        self.smooth = torch.tensor([b == FULL for b in activation_bits]).view(-1, 1, 1)
        self.top = column([2.0 ** (min(b, 16) - 1) - 1 for b in activation_bits])
        self.offsets = (torch.arange(self.members) * VOCABULARY).view(-1, 1, 1)

    def state(self) -> dict[str, object]:
        """Return everything that training changes."""
        tensors = [*self.parameters, *self.first, *self.second]
        return {"steps": self.steps, "tensors": [t.clone() for t in tensors]}

    def restore(self, state: dict[str, object]) -> None:
        """Return to what `state` gave."""
        self.steps = int(state["steps"])  # type: ignore[call-overload]
        tensors = [*self.parameters, *self.first, *self.second]
        for mine, saved in zip(tensors, state["tensors"], strict=True):  # type: ignore[call-overload]
            mine.copy_(saved)

    def _quantised_weights(self, w: Tensor) -> Tensor:
        """Round each output channel to 2**bits levels, spaced by its root mean square."""
        if self.all_full:
            return w.clone()
        s = w.square().mean(1, keepdim=True).sqrt_().mul_(self.step).clamp_(min=1e-12)
        levels = (w / s).floor_()
        levels = torch.minimum(torch.maximum(levels, -self.half), self.half - 1)
        return torch.where(self.full, w, levels.add_(0.5).mul_(s))

    def _quantised_activations(self, x: Tensor) -> Tensor:
        """Round each row to 2**bits - 1 levels up to its largest magnitude; gradient unchanged."""
        if self.all_smooth:
            return x
        with torch.no_grad():
            s = x.abs().amax(2, keepdim=True).div_(self.top).clamp_(min=1e-12)
            change = torch.where(self.smooth, 0.0, (x / s).round_().mul_(s) - x)
        return x + change

    def _logits(self, weights: list[Tensor], context: Tensor) -> Tensor:  # [member, row, symbol]
        embedding, output, entry, *blocks = weights
        x = functional.embedding(context + self.offsets, embedding.flatten(0, 1)).flatten(2)
        x = torch.bmm(self._quantised_activations(x), entry)
        for w1, w2 in zip(blocks[::2], blocks[1::2], strict=True):
            inner = functional.layer_norm(x, x.shape[-1:])
            inner = torch.bmm(self._quantised_activations(inner), w1).relu()
            x = torch.baddbmm(x, self._quantised_activations(inner), w2)
        return torch.bmm(functional.layer_norm(x, x.shape[-1:]), output)

    def _weights(self) -> list[Tensor]:
        with torch.no_grad():
            return [self.embedding, self.output, *map(self._quantised_weights, self.hidden)]

    def train_step(self, context: Tensor, target: Tensor, rate_factor: float) -> None:
        """Take one Adam step; context [member or 1, row, 16], target [member or 1, row].

        Gradients are taken at the quantised weights and applied to the weights behind them
        (straight-through).
        """
        weights = [w.detach().requires_grad_() for w in self._weights()]
        logits = self._logits(weights, context)
        target = target.expand(self.members, -1)
        loss = functional.cross_entropy(logits.flatten(0, 1), target.reshape(-1), reduction="sum")
        gradients = torch.autograd.grad(loss / target.shape[1], weights)
        self.steps += 1
        b1, b2 = BETAS
        scale = math.sqrt(1 - b2**self.steps) / (1 - b1**self.steps) * rate_factor
        with torch.no_grad():
            for p, g, m, v in zip(self.parameters, gradients, self.first, self.second, strict=True):
                m.lerp_(g, 1 - b1)
                v.mul_(b2).addcmul_(g, g, value=1 - b2)
                p.sub_((m / v.sqrt().add_(EPSILON)).mul_(self.rates * scale))

    @torch.no_grad()
    def losses(self, context: Tensor, target: Tensor) -> Tensor:  # [member, row]
        """Return the loss of every prediction in nats."""
        logits = self._logits(self._weights(), context)
        target = target.expand(self.members, -1)
        return functional.cross_entropy(logits.transpose(1, 2), target, reduction="none")
