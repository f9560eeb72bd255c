"""The table of learners: one row and one file each."""

from ..core.registry import Registry

TABLE = Registry(
    "learners",
    {
        "gradient": "mtlbench.learners.gradient:Gradient",
        "ridge": "mtlbench.learners.ridge:Ridge",
        "shared_specific": "mtlbench.learners.relation.shared_specific:SharedSpecific",
        "mtrl": "mtlbench.learners.relation.mtrl:Mtrl",
    },
)
