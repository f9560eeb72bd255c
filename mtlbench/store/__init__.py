"""What a run leaves on disk: trial files, trunks, and the data frames made from them."""

from .files import write_atomically
from .folder import Store
from .frames import Frames
from .trial_files import Refused, Stored

__all__ = ["Frames", "Refused", "Store", "Stored", "write_atomically"]
