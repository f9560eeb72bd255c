"""Norms as penalties. Where a norm has no gradient, autograd uses the subgradient of least norm: 0 at zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from .base import Norm

if TYPE_CHECKING:
    from torch import Tensor


class L1(Norm):
    """Lasso: R = sum_ij |W_ij|; its gradient is sign(W_ij), 0 at 0.

    Gradient steps make weights small but not exactly zero: there is no proximal step. Source: Tibshirani, Regression
    Shrinkage and Selection via the Lasso, JRSS B 1996.
    """

    def norm(self, matrix: Tensor) -> Tensor:
        """sum |W|."""
        return matrix.abs().sum()


class L2(Norm):
    """Ridge: R = sum_ij W_ij^2 / 2, with gradient W, so that rho acts as an optimizer's (coupled) weight decay.

    Source: Hoerl and Kennard, Ridge Regression, Technometrics 1970.
    """

    def norm(self, matrix: Tensor) -> Tensor:
        """sum W^2 / 2."""
        return matrix.square().sum() / 2


class ElasticNet(Norm):
    """Elastic net: R = a sum |W_ij| + (1 - a) sum W_ij^2 / 2.

    Source: Zou and Hastie, Regularization and Variable Selection via the Elastic Net, JRSS B 2005, scaled as in
    scikit-learn.
    """

    l1_ratio: float = Field(0.5, ge=0, le=1, description="a, the share of the l1 norm")

    def norm(self, matrix: Tensor) -> Tensor:
        """a l1 + (1 - a) l2."""
        return self.l1_ratio * matrix.abs().sum() + (1 - self.l1_ratio) * matrix.square().sum() / 2


class L21(Norm):
    """Joint feature selection: R = sum_j |W_:j|_2, one norm per input j over all outputs.

    On stacked heads an input is a feature of the shared representation, selected or dropped for all tasks at once. The
    gradient of column j is W_:j / |W_:j|_2, 0 for a column of zeros. Source: Argyriou, Evgeniou and Pontil, Convex
    Multi-Task Feature Learning, Machine Learning 2008.
    """

    def norm(self, matrix: Tensor) -> Tensor:
        """sum of the columns' Euclidean norms."""
        import torch

        total: Tensor = torch.linalg.vector_norm(matrix, dim=0).sum()
        return total


class Trace(Norm):
    """Trace norm: R = sum of the singular values of W, which favours low rank.

    Gradient U V' over the singular vectors of values above max(W.shape) eps sigma_1; values below count as 0, and with
    them the zero matrix has gradient 0. One singular value decomposition per matrix and step. Source: Argyriou,
    Evgeniou and Pontil, Convex Multi-Task Feature Learning, Machine Learning 2008.
    """

    recordable: ClassVar[bool] = False

    def norm(self, matrix: Tensor) -> Tensor:
        """sum of singular values."""
        import torch

        values = torch.linalg.svdvals(matrix)
        least = max(matrix.shape) * torch.finfo(matrix.dtype).eps * values.detach().amax()
        return torch.where(values > least, values, 0).sum()
