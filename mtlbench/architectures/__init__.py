"""The table of architectures; each has its row here and its file."""

from ..core.registry import Registry

TABLE = Registry(
    "architectures",
    {
        "point": "mtlbench.architectures.point:Point",
        "single": "mtlbench.architectures.single:Single",
        "shared": "mtlbench.architectures.shared:Shared",
        "cross_stitch": "mtlbench.architectures.cross_stitch:CrossStitch",
        "soft": "mtlbench.architectures.soft:Soft",
        "adapters": "mtlbench.architectures.adapters:Adapters",
        "mmoe": "mtlbench.architectures.mmoe:Mmoe",
        "cgc": "mtlbench.architectures.cgc:Cgc",
        "ple": "mtlbench.architectures.ple:Ple",
        "dselect_k": "mtlbench.architectures.dselect_k:DSelectK",
        "mtan": "mtlbench.architectures.mtan:Mtan",
        "two_tower": "mtlbench.architectures.two_tower:TwoTower",
    },
)
