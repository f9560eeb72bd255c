"""The table of architectures: one row and one file each."""

from ..core.registry import Registry

TABLE = Registry(
    "architectures",
    {
        "shared": "mtlbench.architectures.shared:Shared",
        "single": "mtlbench.architectures.single:Single",
    },
)
