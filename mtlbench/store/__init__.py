"""What a run leaves on disk: trial files, trunks, and the data frames made from them."""

from .files import write_atomically
from .folder import Store, Stored
from .frames import Frames

__all__ = ["Frames", "Store", "Stored", "write_atomically"]
