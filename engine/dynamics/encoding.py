"""Tables of integers as base64 of little-endian bytes: their text in the artefact."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray


def encode(table: NDArray[np.int64], kind: str) -> str:
    """Return the table's text; `kind` is a NumPy type string such as ``<i4``, wide enough for every entry."""
    return base64.b64encode(np.ascontiguousarray(table, dtype=kind).tobytes()).decode()


def decode(text: str, kind: str) -> NDArray[np.int64]:
    """Return the flat read-only table of the text; raise ValueError when it is not base64 of whole entries."""
    table = np.frombuffer(base64.b64decode(text, validate=True), dtype=kind).astype(np.int64)
    table.flags.writeable = False
    return table
