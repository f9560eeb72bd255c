"""The table of trunks, inputs to features: one row and one file (or family) each."""

from ...core.registry import Registry
from .heads import affine, head

TRUNKS = Registry(
    "trunks",
    {
        "mlp": "mtlbench.architectures.trunks.mlp:Mlp",
        "linear": "mtlbench.architectures.trunks.mlp:Linear",
        "cnn": "mtlbench.architectures.trunks.cnn:Cnn",
        "resnet": "mtlbench.architectures.trunks.resnet:Resnet",
        "unet": "mtlbench.architectures.trunks.unet:Unet",
        "bag": "mtlbench.architectures.trunks.bag:Bag",
        "lstm": "mtlbench.architectures.trunks.recurrent:Lstm",
        "gru": "mtlbench.architectures.trunks.recurrent:Gru",
        "transformer": "mtlbench.architectures.trunks.transformer:Transformer",
    },
)
__all__ = ["TRUNKS", "affine", "head"]
