"""The covariance of the tasks' heads as a penalty: relation learning on features that a network learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ..core.task import Outline
from .base import Penalty, matrices

if TYPE_CHECKING:
    from torch import Tensor, nn


class TaskCovariance(Penalty):
    """Deep relation: rho tr(W Omega^-1 W') over the tasks' heads, whose covariance Omega is learned with them.

    min over theta and Omega of sum_t lambda_t L_t(theta) + rho (tr(W Omega^-1 W') + eps^2 tr Omega^-1), Omega positive
    definite, tr Omega = 1. W [width, C] has a column for each output of every task, its weights on the features in the
    task's last layer (offsets are not penalised): tasks may differ in their outputs, and class names have no effect.

    Solved by alternating minimisation: at every step Omega = S / tr S with S = (W'W + eps^2 I)^1/2, the minimum at this
    W, then a gradient step at this Omega, 2 rho W Omega^-1. That is the gradient of the minimum too, which is the
    value: rho (tr S)^2, for small eps rho times the squared trace norm. C equal columns w pay rho |w|^2 each, C
    orthogonal ones as long pay C times that, and a single output has Omega = 1, a ridge penalty rho |w|^2. W = 0 has
    Omega = I / C and gradient 0. One singular value decomposition a step.

    The report shows the correlations in Omega at the final weights.

    Source: Zhang and Yeung, A Convex Formulation for Learning Task Relationships in Multi-Task Learning, UAI 2010; Long
    et al., Learning Multiple Tasks with Multilinear Relationship Networks, NeurIPS 2017. Deviations: from the former, W
    are a network's heads, Omega moves at every gradient step, where they solve for W in between, eps keeps it
    invertible, rho is half their lambda_2, and their lambda_1 is left to the optimizer's weight decay. From the latter,
    the last layer alone, not every layer of the tasks' own; one covariance, of outputs, not the Kronecker product of
    those of features, classes and tasks, so tasks need no common classes; and tr Omega = 1, where their prior's density
    has a determinant.
    """

    recordable: ClassVar[bool] = False

    strength: float = Field(1e-4, gt=0, description="rho")
    smoothing: float = Field(1e-2, gt=0, description="eps, in units of weights: the least singular value that counts")

    @classmethod
    def example(cls) -> dict[str, Any]:
        """Strong enough to have a visible effect after a few steps."""
        return {"strength": 0.01}

    def check(self, outline: Outline, common: bool) -> list[str]:
        """There must be heads, on features with the same meaning for all tasks."""
        if outline.objectives:
            return ["the tasks are formulas of a point and have no heads to relate: remove the penalty"]
        if len(outline.tasks) > 1 and not common:
            return [
                "expected tasks whose heads read common features, got an architecture that shares nothing, so that "
                "their weights cannot be compared: use architecture shared"
            ]
        return []

    def term(self, trunk: nn.Module, heads: Sequence[nn.Module]) -> Tensor | None:
        """rho (tr(W Omega^-1 W') + eps^2 tr Omega^-1), Omega a constant."""
        columns_CD = _columns(heads)
        basis_CR, roots_R, others = self._root(columns_CD)
        trace = roots_R.sum() + others * self.smoothing
        inverse_R = trace / roots_R
        along_RD = basis_CR.T @ columns_CD
        smoothed = self.smoothing**2 * inverse_R.sum() + others * self.smoothing * trace
        return self.strength * (inverse_R @ along_RD.square().sum(1) + smoothed)

    def covariance(self, heads: Sequence[nn.Module]) -> Tensor:
        """Omega [C, C]."""
        import torch

        basis_CR, roots_R, others = self._root(_columns(heads))
        root = (basis_CR * (roots_R - self.smoothing)) @ basis_CR.T
        root += self.smoothing * torch.eye(len(root), dtype=root.dtype, device=root.device)
        return root / (roots_R.sum() + others * self.smoothing)

    def _root(self, columns_CD: Tensor) -> tuple[Tensor, Tensor, int]:
        """Eigenvectors [C, R] and eigenvalues [R] of (W'W + eps^2 I)^1/2, constant; how many more are eps.

        Eigenvectors along which W is rounding errors are 0: with a small eps, gradients would be those of the errors.
        """
        import torch

        # Non-finite values become 0 here only: diverging training should end as such, not with a failed SVD.
        fixed = columns_CD.detach().nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        basis, values, _ = torch.linalg.svd(fixed, full_matrices=False)
        least = max(fixed.shape) * torch.finfo(values.dtype).eps * values.amax()
        values = torch.where(values > least, values, 0)
        roots = torch.hypot(values, values.new_tensor(self.smoothing))
        return basis * (values > 0), roots, len(fixed) - len(values)


def _columns(heads: Sequence[nn.Module]) -> Tensor:
    """W' [C, width], the outputs of all tasks in their order: of each task's own matrices, the last is its head's."""
    import torch

    return torch.cat([[*matrices(head)][-1][1] for head in heads])
