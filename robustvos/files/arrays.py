"""NumPy's files: what goes wrong with one that was cut short."""

from __future__ import annotations

import zipfile
import zlib

UNREADABLE_ARRAYS = (ValueError, KeyError, IndexError, OSError, EOFError, zipfile.BadZipFile, zlib.error)
"""What ``np.load`` raises, at once or when an array is taken out, for a file that is broken, empty or holds something else."""
