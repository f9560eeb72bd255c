"""The table of problems; each has its row here and its file."""

from ..core.registry import Registry

TABLE = Registry(
    "problems",
    {
        "boxes": "mtlbench.problems.images.boxes:Boxes",
        "characters": "mtlbench.problems.images.characters:Characters",
        "dense": "mtlbench.problems.images.dense:Dense",
        "diabetes": "mtlbench.problems.small.diabetes:Diabetes",
        "digits": "mtlbench.problems.small.digits:Digits",
        "idx": "mtlbench.problems.images.idx:Idx",
        "linnerud": "mtlbench.problems.small.linnerud:Linnerud",
        "multidigits": "mtlbench.problems.images.multidigits:MultiDigits",
        "quadratics": "mtlbench.problems.small.analytic:Quadratics",
        "school": "mtlbench.problems.small.school:School",
        "snips": "mtlbench.problems.text.snips:Snips",
        "synthetic": "mtlbench.problems.small.synthetic:Synthetic",
        "tables": "mtlbench.problems.tables.several:Tables",
        "tabular": "mtlbench.problems.tables.tabular:Tabular",
        "tagging": "mtlbench.problems.text.tagging:Tagging",
        "text": "mtlbench.problems.text.classification:Text",
        "toy": "mtlbench.problems.small.analytic:Toy",
        "union": "mtlbench.problems.union:Union",
    },
)
