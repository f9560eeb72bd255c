"""The table of penalties: the term rho R(theta) of the objective."""

from ..core.registry import Registry

TABLE = Registry(
    "penalties",
    {
        "none": "mtlbench.penalties.base:Free",
        "l1": "mtlbench.penalties.norms:L1",
        "l2": "mtlbench.penalties.norms:L2",
        "elastic_net": "mtlbench.penalties.norms:ElasticNet",
        "l21": "mtlbench.penalties.norms:L21",
        "trace": "mtlbench.penalties.norms:Trace",
        "task_covariance": "mtlbench.penalties.covariance:TaskCovariance",
    },
)
