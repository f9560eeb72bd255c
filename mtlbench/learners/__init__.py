"""The table of learners: one row and one file each."""

from ..core.registry import Registry

TABLE = Registry(
    "learners",
    {
        "gradient": "mtlbench.learners.gradient:Gradient",
        "affinity": "mtlbench.learners.affinity:Affinity",
    },
)
