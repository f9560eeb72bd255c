"""The table of architectures: one row and one file each."""

from ..core.registry import Registry

TABLE = Registry(
    "architectures",
    {
        "point": "mtlbench.architectures.point:Point",
        "shared": "mtlbench.architectures.shared:Shared",
        "single": "mtlbench.architectures.single:Single",
    },
)
