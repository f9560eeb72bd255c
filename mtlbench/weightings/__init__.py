"""The table of weightings: one row each; methods of one family share a file."""

from ..core.registry import Registry

TABLE = Registry(
    "weightings",
    {
        "equal": "mtlbench.weightings.losses:Equal",
        "fixed": "mtlbench.weightings.losses:Fixed",
        "random": "mtlbench.weightings.jd:Random",
        "uncertainty": "mtlbench.weightings.jd:Uncertainty",
        "dwa": "mtlbench.weightings.jd:DWA",
        "geometric": "mtlbench.weightings.jd:Geometric",
        "imtl_l": "mtlbench.weightings.jd:IMTLL",
        "stch": "mtlbench.weightings.jd:STCH",
        "famo": "mtlbench.weightings.jd:FAMO",
        "mgda": "mtlbench.weightings.gramian:MGDA",
        "pcgrad": "mtlbench.weightings.gramian:PCGrad",
        "cagrad": "mtlbench.weightings.gramian:CAGrad",
        "upgrad": "mtlbench.weightings.gramian:UPGrad",
        "dualproj": "mtlbench.weightings.gramian:DualProj",
    },
)
