"""How much the training sets of the seeds of a problem overlap: test rows over training rows."""

from __future__ import annotations

import math

from .frames import ReportData

UNKNOWN = "intervals are not corrected as the suite asks: these records do not say how many rows were trained on"


def overlap(data: ReportData, problem: str) -> float:
    """Test labels / training labels of the task with the largest such ratio, which errs on the wide side.

    0 where the suite does not ask for corrected intervals; NaN where records lack the numbers. The formula is for seeds
    that draw their own split of one data set; where the test set is fixed, it is wider than need be.
    """
    if data.judgement.interval == "plain":
        return 0.0
    facts = data.records[data.records["problem"] == problem]
    test, train = (
        facts[facts["metric"] == f"{split}_rows"].groupby("task")["value"].mean() for split in ("test", "train")
    )
    ratios = (test / train).reindex([task.name for task in data.tasks(problem)])
    return float(ratios.max()) if len(ratios) and ratios.notna().all() else math.nan
