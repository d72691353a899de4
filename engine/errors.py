"""What the engine refuses, as one small tree; `oracle.valuation` turns it into the oracle's own.

    EngineError
    |-- InvalidInput      a book, a market or a history that cannot be valued
    |-- BadArtefact       a calibration whose text does not match its content hash, or is of another version
    |-- UnmodelledAccount an account holds what nothing bounds the loss of: no root may be published
    `-- NonFiniteResult   a NaN or an infinity where a number must be; nothing is dropped to make one

A message names the value that is wrong and what to do about it. Kernels raise nothing: they return flags.
"""

from __future__ import annotations


class EngineError(ValueError):
    """Base of all errors of the engine."""


class InvalidInput(EngineError):
    """A book, a market state, a history or a setting that cannot be valued."""


class UnmodelledAccount(EngineError):
    """An account holds what cannot be modelled and has no worst case; `account` is its index."""

    def __init__(self, account: int, why: str) -> None:
        super().__init__(f"account {account}: {why}")
        self.account = account
        self.why = why

    def __reduce__(self) -> tuple[type[UnmodelledAccount], tuple[int, str]]:
        # from another process: the base class would pass on the message alone
        return type(self), (self.account, self.why)


class BadArtefact(EngineError):
    """A calibration that is not what its content hash says, or was written by another version."""


class NonFiniteResult(EngineError):
    """A result with a NaN or an infinity; an account is never dropped to make a number."""
