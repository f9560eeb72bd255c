"""Files that users name are opened here: a pipe would be waited for without end, and a device read without end."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

REFUSED = "expected a regular file, got a device, pipe or socket"


def opened_regular(path: Path) -> BufferedReader:
    """The bytes of a regular file, or of what a link to one leads to; nothing is waited for.

    Raises OSError: of the system, IsADirectoryError for a folder, and with ``REFUSED`` as ``strerror`` for all else.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        kind = os.fstat(handle).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, REFUSED, os.fspath(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise
