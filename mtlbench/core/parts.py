"""The parts of a method."""

from __future__ import annotations

from typing import Any

# Every key of a suite file, and what an editor or an error says about it.
KEYS: dict[str, str] = {
    "suite": "name of the suite and of its results folder; the file's name unless given",
    "description": "what the suite asks, for the report",
    "problem": "one problem or a list of them, each a name or a mapping with a name, its parameters and a label",
    "architecture": "an architecture: a name, or a mapping with a name and its parameters",
    "methods": "a mapping from each method's label to what it changes of the suite",
    "engines": "a list of engines; every method runs on each of them",
    "optimizer": "an optimizer: a name, or a mapping with a name and its parameters",
    "schedule": "a learning-rate schedule: a name, or a mapping with a name and its parameters",
    "penalty": "a penalty rho R(theta) on the weights: a name, or a mapping with a name and its parameters",
    "weighting": "a weighting: a name, or a mapping with a name and its parameters",
    "learner": "a learner: a name, or a mapping with a name and its parameters",
    "tune": "lists of values by key, as optimizer.lr; each seed takes the combination that validates best",
    "train": "how long to train, and in what batches",
    "init_from": "a method's label, or a mapping with method or file: whose trained trunk to start from",
    "resources": "what one trial needs",
    "affinity": "a method's label: its tasks are also trained in pairs, and their gradients are compared",
    "seeds": "a number n of seeds (0 to n-1), or a list of seeds",
    "single_task": "what the single-task baseline changes of the suite, and its label; it runs by itself",
    "kernels": "cases of operations to time, fused against eager, and how; beside methods, or instead of them",
    "profiles": "named overrides of the whole suite, chosen with --profile",
}
# What a method may change, in the order in which resolved suites show it.
CHOICES = (
    "problem", "learner", "architecture", "weighting", "engines", "optimizer", "schedule", "penalty", "train",
    "init_from", "tune", "resources",
)  # fmt: skip
MACHINERY = frozenset(CHOICES) - {"problem", "learner", "tune", "resources"}  # what a learner may use or not
REQUIRED = ("problem", "architecture", "optimizer")
DEFAULTS: dict[str, Any] = {
    "learner": {"name": "gradient"},
    "weighting": {"name": "equal"},
    "engines": ["eager"],
    "schedule": {"name": "constant"},
    "penalty": {"name": "none"},
    "train": {},
    "init_from": {},
    "tune": {},
    "resources": {},
}
UNINHERITED = ("architecture", "weighting", "engines", "init_from")  # what the baseline does not take from the suite
TUNABLE = ("learner", "architecture", "weighting", "optimizer", "schedule", "penalty", "train")
