"""Linear heads in float64: losses and gradients by the oracle of the losses, updates by the oracle of Adam."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtlbench.ops.step_heads import step_heads_

from .adam_oracle import expected as expected_adam
from .loss_oracle import EPSILON, SPANS_CLASSES, Options, Task, make_target, task_loss

LOSS_OPTIONS = ("reduction", "ignore_index", "label_smoothing")


@dataclass
class Case:
    """Arguments of step_heads_, made from a seed; a kind may be followed by its number of classes: ``"mse 3"``."""

    kinds: list[str]
    rows: int = 33
    width: int = 20
    dtype: torch.dtype = torch.float32
    param_dtype: torch.dtype | None = None
    per_task: bool = False
    biased: str = "all"  # or "none", or "some"
    weights: list[float] | None = None
    steps_done: int = 3
    shared_step: bool = False
    amsgrad: bool = False
    masked: float | None = None  # share of rows with a label
    device: torch.device | str = "cpu"
    seed: int = 0

    def made(self) -> dict[str, Any]:
        random = torch.Generator().manual_seed(self.seed)
        params = self.param_dtype or self.dtype
        states = torch.float64 if params == torch.float64 else torch.float32

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=random, dtype=torch.float64)

        def put(tensor: Tensor, dtype: torch.dtype) -> Tensor:
            return tensor.to(self.device, dtype)

        names = [kind.split() for kind in self.kinds]
        rows = [self.rows + (t if self.per_task else 0) for t in range(len(names))]
        features = [put(normal(n, self.width), self.dtype) for n in (rows if self.per_task else rows[:1])]
        heads, states_of, targets, masks = [], [], [], []
        for t, (kind, *count) in enumerate(names):
            classes = int(count[0]) if count else 1
            bias = self.biased == "all" or (self.biased == "some" and t % 2 == 0)
            shapes = [(classes, self.width), (classes,) if bias else None]
            scale = self.width**-0.5 if self.width else 1.0
            heads.append(tuple(None if s is None else put(scale * normal(*s), params) for s in shapes))
            states_of.append(
                [
                    tuple(None if s is None else put(0.01 * normal(*s) ** power, states) for s in shapes)
                    for power in (1, 2, 2)
                ]
            )
            target = make_target(kind, (rows[t], classes), random)
            targets.append((target if count or target.ndim == 1 else target.squeeze(1)).to(self.device))
            known = torch.rand(rows[t], generator=random) < (self.masked or 0)
            masks.append(None if self.masked is None or t % 3 == 2 else known.to(self.device))
        steps = torch.tensor(float(self.steps_done), device=self.device)
        exp_avgs, exp_avg_sqs, peaks = (list(column) for column in zip(*states_of, strict=True))
        return {
            "features": features if self.per_task else features[0],
            "heads": heads,
            "targets": targets,
            "kinds": ["cross_entropy" if kind == "probabilities" else kind for kind, *_ in names],
            "weights": None if self.weights is None else torch.tensor(self.weights, device=self.device),
            "exp_avgs": exp_avgs,
            "exp_avg_sqs": exp_avg_sqs,
            "step": steps if self.shared_step else [copy.deepcopy(same(head, steps)) for head in heads],
            **({"max_exp_avg_sqs": peaks} if self.amsgrad else {}),
            **({"masks": masks} if self.masked is not None else {}),
        }


def same(head: Any, value: Tensor) -> tuple[Tensor, Tensor | None]:
    """The value for a matrix and, where there is one, for the bias."""
    return value, None if head[1] is None else value.clone()


def flat(pairs: Any) -> list[Tensor]:
    """Matrices and biases, one after the other."""
    return [tensor for pair in pairs for tensor in pair if tensor is not None]


@dataclass
class Gradients:
    """In float64, with the size of the terms that each is a sum of."""

    losses: Tensor
    features: list[Tensor]
    feature_terms: list[Tensor]
    params: list[Tensor]
    param_terms: list[Tensor]


def gradients(made: dict[str, Any], options: dict[str, Any]) -> Gradients:
    """Losses and gradients of the weighted total; how large the terms of each are comes from |h|, |W| and |D|."""
    one = isinstance(made["features"], Tensor)
    features = [h.double().requires_grad_() for h in ([made["features"]] if one else made["features"])]
    heads = [tuple(None if p is None else p.double().requires_grad_() for p in head) for head in made["heads"]]
    masks = made.get("masks") or [None] * len(heads)
    beta = options.get("beta", 1.0)
    of_losses = Options(**{name: options[name] for name in LOSS_OPTIONS if name in options})
    outputs, losses = [], []
    for t, (matrix, bias) in enumerate(heads):
        assert matrix is not None
        h, target = features[0 if one else t], made["targets"][t]
        x = h @ matrix.T if bias is None else h @ matrix.T + bias
        outputs.append(x)
        shaped = x.squeeze(1) if target.ndim == 1 and made["kinds"][t] not in SPANS_CLASSES else x
        knee = beta if isinstance(beta, float) else beta[t]
        losses.append(task_loss(Task(made["kinds"][t], shaped, target, masks[t], knee), shaped, of_losses))
    weights = torch.ones(len(heads)) if made["weights"] is None else made["weights"]
    total = torch.stack(losses) @ weights.double().to(losses[0].device)
    params = flat(heads)
    found = torch.autograd.grad(total, [*features, *params, *outputs])
    slopes = [d.abs() for d in found[len(features) + len(params) :]]
    feature_terms = [torch.zeros_like(h) for h in features]
    param_terms = []
    for t, (matrix, bias) in enumerate(heads):
        assert matrix is not None
        g = 0 if one else t
        feature_terms[g] += slopes[t] @ matrix.detach().abs()
        param_terms.append(slopes[t].T @ features[g].detach().abs())
        if bias is not None:
            param_terms.append(slopes[t].sum(0))
    own = list(found[len(features) : len(features) + len(params)])
    return Gradients(torch.stack(losses).detach(), list(found[: len(features)]), feature_terms, own, param_terms)


def check(case: Case, slack: float = 1.0, **options: Any) -> dict[str, Any]:
    """Run a case and compare all that it gives and changes with float64."""
    before, after = case.made(), case.made()
    losses, d_features = step_heads_(**after, **options)
    wanted = gradients(before, options)
    double = case.dtype == torch.float64
    close = slack * 64 * EPSILON[torch.float64 if double else torch.float32]
    assert losses.dtype == (torch.float64 if double else torch.float32)
    bound = close * wanted.losses.abs().clamp(min=1)
    assert bool(((losses.double() - wanted.losses).abs() <= bound).all()), (losses, wanted.losses)
    found = [d_features] if isinstance(d_features, Tensor) else d_features
    assert isinstance(d_features, Tensor) is not case.per_task
    for t, (d, right, terms) in enumerate(zip(found, wanted.features, wanted.feature_terms, strict=True)):
        assert d.dtype == case.dtype
        assert d.shape == right.shape
        allowed = close * terms + EPSILON[d.dtype] * right.abs() + slope_floor(close, terms)
        assert bool(((d.double() - right).abs() <= allowed).all()), (t, (d.double() - right).abs().max())
    check_update(before, after, wanted, close, options)
    return after


def slope_floor(close: float, terms: Tensor) -> Tensor | float:
    """Slopes are differences (p - q): where they cancel, the rounding of their terms remains."""
    return close * terms.mean() if terms.numel() else 0.0


def check_update(before: Any, after: Any, wanted: Gradients, close: float, options: dict[str, Any]) -> None:
    """Parameters and states moved as Adam says, to what the error of their gradients allows."""
    adam = {name: value for name, value in options.items() if name not in (*LOSS_OPTIONS, "beta")}
    lists = ("exp_avgs", "exp_avg_sqs", *(["max_exp_avg_sqs"] if "max_exp_avg_sqs" in before else []))
    tensors: dict[str, Any] = {name: flat(before[name]) for name in lists}
    step = before["step"]
    tensors |= {"params": flat(before["heads"]), "step": step if isinstance(step, Tensor) else flat(step)}
    right = expected_adam({**tensors, "gradients": [wanted.params]}, **adam)
    errors = [close * terms + slope_floor(close, terms) for terms in wanted.param_terms]
    moved = [
        expected_adam(
            {**tensors, "gradients": [[g + sign * e for g, e in zip(wanted.params, errors, strict=True)]]}, **adam
        )
        for sign in (1, -1)
    ]
    for i, exact in enumerate(right):
        for name, key in (("heads", "p"), ("exp_avgs", "m"), ("exp_avg_sqs", "v"), ("max_exp_avg_sqs", "peak")):
            if name not in after:
                continue
            found, old = flat(after[name])[i].double(), flat(before[name])[i].double()
            value = getattr(exact, key)
            spread = sum((getattr(m[i], key) - value).abs() for m in moved)
            dtype = flat(after[name])[i].dtype
            size = torch.maximum(value.abs(), old.abs())
            tiny = EPSILON[torch.float64 if dtype == torch.float64 else torch.float32]
            allowed = spread + 2 * EPSILON[dtype] * size + 16 * tiny * (value - old).abs() + 4 * tiny * size
            wrong = (found - value).abs() > allowed
            assert torch.equal(found.isnan(), value.isnan()), (name, i)
            assert not wrong.any(), (name, i, (found - value)[wrong][:3], allowed[wrong][:3])
    counts = [after["step"]] if isinstance(after["step"], Tensor) else flat(after["step"])
    olds = [step] if isinstance(step, Tensor) else flat(step)
    assert [float(c) for c in counts] == [float(c) + 1 for c in olds]
