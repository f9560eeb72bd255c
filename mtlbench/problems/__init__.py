"""The table of problems: one row and one file each."""

from ..core.registry import Registry

TABLE = Registry(
    "problems",
    {
        "boxes": "mtlbench.problems.boxes:Boxes",
        "characters": "mtlbench.problems.characters:Characters",
        "dense": "mtlbench.problems.dense:Dense",
        "diabetes": "mtlbench.problems.diabetes:Diabetes",
        "digits": "mtlbench.problems.digits:Digits",
        "idx": "mtlbench.problems.idx:Idx",
        "linnerud": "mtlbench.problems.linnerud:Linnerud",
        "multidigits": "mtlbench.problems.multidigits:MultiDigits",
        "quadratics": "mtlbench.problems.analytic:Quadratics",
        "school": "mtlbench.problems.school:School",
        "snips": "mtlbench.problems.snips:Snips",
        "synthetic": "mtlbench.problems.synthetic:Synthetic",
        "tables": "mtlbench.problems.tables:Tables",
        "tabular": "mtlbench.problems.tabular:Tabular",
        "tagging": "mtlbench.problems.tagging:Tagging",
        "text": "mtlbench.problems.text:Text",
        "toy": "mtlbench.problems.analytic:Toy",
        "union": "mtlbench.problems.union:Union",
    },
)
