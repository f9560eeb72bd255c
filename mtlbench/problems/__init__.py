"""The table of problems: one row and one file each."""

from ..core.registry import Registry

TABLE = Registry("problems", {})
