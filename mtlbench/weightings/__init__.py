"""The table of weightings: one row and one file each."""

from ..core.registry import Registry

TABLE = Registry("weightings", {})
