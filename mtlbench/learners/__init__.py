"""The table of learners; each has its row here and its file."""

from ..core.registry import Registry

TABLE = Registry(
    "learners",
    {
        "gradient": "mtlbench.learners.gradient:Gradient",
        "affinity": "mtlbench.learners.affinity:Affinity",
        "transfer": "mtlbench.learners.transfer:Transfer",
        "constant": "mtlbench.learners.constant:Constant",
        "boosting": "mtlbench.learners.boosting:Boosting",
        "forest": "mtlbench.learners.forest:Forest",
        "ridge": "mtlbench.learners.ridge:Ridge",
        "kernel_svm": "mtlbench.learners.kernel_svm:KernelSvm",
        "shared_specific": "mtlbench.learners.relation.shared_specific:SharedSpecific",
        "graph": "mtlbench.learners.relation.graph:Graph",
        "l21": "mtlbench.learners.relation.l21:L21",
        "trace": "mtlbench.learners.relation.trace:Trace",
        "clustered": "mtlbench.learners.relation.clustered:Clustered",
        "mtrl": "mtlbench.learners.relation.mtrl:Mtrl",
    },
)
