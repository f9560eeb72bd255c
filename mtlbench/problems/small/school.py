"""Examination scores of 139 London schools: one regression per school."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ...core.digests import Stamp, stamp
from ...core.errors import DataError
from ...core.task import Data, Outline, TaskSpec
from ..assemble import assemble_sets, standardise
from ..files import find
from ..metrics import WithMetrics
from ..splits import TEST, TRAIN, VALIDATION, assign, generator
from ..tables.matlab import read_matlab

if TYPE_CHECKING:
    from ...core.task import Array

FEWEST = 3  # pupils of a school, one for each split


class School(WithMetrics):
    """139 schools, 15,362 pupils: predicting the scores of one school's pupils is one regression task.

    Tasks school_1 .. school_139 in the order of the file, loss mse, metric rmse. In every school a random ``train`` of
    the pupils (rounded) trains and all others test; ``validation`` of the training pupils are then held back to choose
    epochs on, none if it is 0, so the test pupils of a seed do not depend on it. A school has at least one pupil in
    every split that is used. Inputs float32 [N, 27], standardised on the training pupils of all schools
    together; columns that are the same for every pupil (the constant 1 that ends the file's 28) are dropped, since
    models have an offset. All schools share one target scale s and offset, in points, so that the error
    over all pupils is sqrt(sum_t n_t rmse_t² / sum_t n_t), or s times the root of the mean squared standardised error.

    Format: ``school.mat`` (MATLAB 5) with cell arrays X and Y, 139 each: X{t} [pupils, 28], Y{t} [pupils, 1], 1 .. 70.
    Data of the Inner London Education Authority, 1985 to 1987. Sources: Goldstein, Multilevel modelling of survey data,
    The Statistician 1991; as a multi-task problem Bakker and Heskes, Task clustering and gating, JMLR 2003; Argyriou,
    Evgeniou and Pontil, Convex multi-task feature learning, Machine Learning 2008 (10 random splits, 75 % of each
    school's pupils). The data state no licence.
    """

    path: str = Field(description="school.mat")
    train: float = Field(0.75, gt=0, lt=1, description="share of every school's pupils to train on; the others test")
    validation: float = Field(0.2, ge=0, lt=1, description="share of those training pupils to choose epochs on; or 0")

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, Any]:
        """Three schools of 12, 20 and 31 pupils."""
        import numpy as np
        from scipy.io import savemat

        chance, cells = np.random.default_rng(5), np.empty((2, 3), dtype=object)
        for school, pupils in enumerate((12, 20, 31)):
            cells[0, school] = chance.normal(size=(pupils, 4))
            cells[1, school] = chance.normal(size=(pupils, 1)) * 9 + 30
        savemat(folder / "school.mat", {"X": cells[:1], "Y": cells[1:]})
        return {"path": "school.mat", "train": 0.5}

    def files(self, root: Path) -> tuple[Path, ...]:
        """The file. Raises DataError."""
        return (find(root, self.path),)

    def outline(self, root: Path) -> Outline:
        """A regression per school. Raises DataError."""
        path = find(root, self.path)
        inputs, scores = _schools(path, stamp(path))
        names = [f"school_{i + 1}" for i in range(len(inputs))]
        tasks = tuple(TaskSpec(name, 1, "mse", unit="points") for name in names)
        sizes = [self._sizes(len(score)) for score in scores]
        rows = sum(max(part) for part in zip(*sizes, strict=True))
        varying = _varying(inputs)
        notes = (f"{int((~varying).sum())} of {len(varying)} features never vary and are left out",)
        shapes, labelled = (
            dict.fromkeys(names, (int(varying.sum()),)),
            {n: s[TRAIN] for n, s in zip(names, sizes, strict=True)},
        )
        return self.ranked(Outline(tasks, shapes, rows, notes if not varying.all() else (), labelled=labelled))

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed. Raises DataError."""
        import numpy as np

        outline, path = self.outline(root), find(root, self.path)
        inputs, scores = _schools(path, stamp(path))
        parts = [self._divide(seed, name, len(score)) for name, score in zip(outline.names, scores, strict=True)]
        pooled = np.concatenate(inputs)[:, _varying(inputs)]
        ends = np.cumsum([len(rows) for rows in inputs])[:-1]
        sets = np.split(standardise(pooled, np.concatenate(parts) == TRAIN), ends)
        return assemble_sets(
            outline,
            dict(zip(outline.names, sets, strict=True)),
            dict(zip(outline.names, scores, strict=True)),
            dict(zip(outline.names, parts, strict=True)),
            joint=True,
        )

    def _sizes(self, pupils: int) -> tuple[int, int, int]:
        """Pupils of one school in each split."""
        held = 1 if self.validation else 0
        trained = min(max(round(pupils * self.train), 1 + held), pupils - 1)
        validated = max(round(trained * self.validation), held)
        return trained - validated, validated, pupils - trained

    def _divide(self, seed: int, name: str, pupils: int) -> Array:
        """The split of each pupil, int8 [N]; test pupils are drawn first, so that they do not depend on the rest."""
        import numpy as np

        train, validation, test = self._sizes(pupils)
        part = np.where(_draw(seed, name, "test", pupils, test), TEST, TRAIN).astype("int8")
        trained = np.flatnonzero(part == TRAIN)
        part[trained[_draw(seed, name, "validation", train + validation, validation)]] = VALIDATION
        return part


def _draw(seed: int, name: str, what: str, rows: int, chosen: int) -> Array:
    """bool [rows], True at ``chosen`` random places."""
    import numpy as np

    marked: Array = assign(np.zeros(rows), (rows - chosen, chosen), generator(seed, name, what)) == 1
    return marked


def _varying(inputs: list[Array]) -> Array:
    """bool [columns]: which features are not the same for every pupil."""
    import numpy as np

    pooled = np.concatenate(inputs)
    varying: Array = (pooled != pooled[0]).any(axis=0)
    return varying


@lru_cache(maxsize=2)
def _schools(path: Path, _: Stamp) -> tuple[list[Array], list[Array]]:
    """Inputs [pupils, features] and scores [pupils] of every school, float64, cached. Raises DataError."""
    import numpy as np

    cells = read_matlab(path)
    for name in ("X", "Y"):
        if name not in cells or cells[name].dtype != object:
            raise DataError(
                f"{path}: expected cell arrays X and Y, one cell per school, got {', '.join(cells) or 'no variable'}; "
                "use the school.mat of the multi-task literature"
            )
    inputs, scores = ([np.asarray(cell, dtype="float64") for cell in cells[name].ravel()] for name in ("X", "Y"))
    if len(inputs) != len(scores) or len(inputs) < 2:
        raise DataError(f"{path}: expected as many cells in X as in Y, at least 2, got {len(inputs)} and {len(scores)}")
    for number, (rows, score) in enumerate(zip(inputs, scores, strict=True), 1):
        if rows.ndim != 2 or rows.shape[1] != inputs[0].shape[1] or score.size != len(rows) or len(rows) < FEWEST:
            raise DataError(
                f"{path}: school {number}: expected at least {FEWEST} pupils, X [pupils, {inputs[0].shape[-1]}] and "
                f"Y [pupils, 1], got X {list(rows.shape)} and Y {list(score.shape)}"
            )
        if not (np.isfinite(rows).all() and np.isfinite(score).all()):
            raise DataError(f"{path}: school {number}: expected finite numbers, got NaN or infinity; correct the file")
    return inputs, [score.ravel() for score in scores]
