"""What the engine refuses, as one small tree; `oracle.valuation` turns it into the oracle's own.

    EngineError
    |-- InvalidInput      a book, a market or a history that cannot be valued
    |-- BadArtefact       a calibration whose text does not match its content hash, or is of another version
    `-- NonFiniteResult   a NaN or an infinity where a number must be; nothing is dropped to make one

A message names the value that is wrong and what to do about it. Kernels raise nothing: they return flags.
"""

from __future__ import annotations


class EngineError(ValueError):
    """Base of all errors of the engine."""


class InvalidInput(EngineError):
    """A book, a market state, a history or a setting that cannot be valued."""


class BadArtefact(EngineError):
    """A calibration that is not what its content hash says, or was written by another version."""


class NonFiniteResult(EngineError):
    """A result with a NaN or an infinity; an account is never dropped to make a number."""
