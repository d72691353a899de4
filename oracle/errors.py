"""Every error of the oracle, drawn as one tree by what the scheduler does about it.

    OracleError
    |-- Transient    end the cycle, the next tick tries again
    |-- BadData      publish nothing, alert now; the on-chain value ages out by its own rule
    |-- Refused      the contract says no: recorded as a hold with the decoded reason, no retry in this cycle
    `-- Fatal        stop the process with a non-zero exit code

A message names the value that is wrong and, after `remedy`, what to do about it. No message holds a secret.
"""

from __future__ import annotations


class OracleError(Exception):
    """Base of all errors.

    Parameters
    ----------
    message : str
        What is wrong, with the value.
    remedy : str
        What the operator can do.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class Transient(OracleError):
    """Goes away by itself: a node that is down, a timeout, an underpriced transaction."""

    exit_code = 75


class EndpointUnavailable(Transient):
    """No endpoint gave an answer within the budget."""


class BlockUnavailable(Transient):
    """The block hash is not known to the node: reorganised away or not there yet."""


class CallTooLarge(Transient):
    """The node gave up on one call: out of gas, out of time, or an answer too large; ask for less at once."""


class Underpriced(Transient):
    """The node does not take the transaction at this fee; the fees actually sent have to be bumped."""


class NonceTaken(Transient):
    """Another transaction with this nonce is mined; settle it and take the nonce from the chain again."""


class InsufficientFunds(Transient):
    """The sender cannot pay for the gas; sending goes on by itself once the account is funded."""


class TransactionUnknown(Transient):
    """A sent transaction has no receipt within the time given; its fate is unknown, not failed."""


class BadData(OracleError):
    """An input cannot be trusted: nothing is published."""

    exit_code = 65


class BadPrice(BadData):
    """A price that is zero, negative, stale or in the future."""


class BadSurface(BadData):
    """A volatility slice that is missing, stale, or out of range."""


class BadHistory(BadData):
    """A price history with wrong columns, duplicates, bad values, or too few rows."""


class BadBook(BadData):
    """A position that cannot be valued: unknown or unsettled expired instrument, duplicate account."""


class BadPortfolio(BadData):
    """A portfolio file that cannot be read, or that does not hold what a valuation needs."""


class EndpointsDisagree(BadData):
    """Endpoints answer, but no two of them say the same."""


class BadArtefact(BadData):
    """A calibration artefact that does not match its content hash or the configuration."""


class NonFiniteResult(BadData):
    """The engine gave a number that is not finite; an account is never dropped to make a number."""


class Refused(OracleError):
    """The contract refuses: a bound, a delay, a signature."""

    exit_code = 69


class CallReverted(Refused):
    """A contract reverted. `data` is what it returned; empty also when the call ran out of gas inside."""

    def __init__(self, message: str, remedy: str = "", *, data: bytes = b"") -> None:
        super().__init__(message, remedy)
        self.data = data


class NotEnoughSignatures(Refused):
    """Fewer signers agree than the contract asks for."""


class Fatal(OracleError):
    """Going on would do harm or cannot work: stop."""

    exit_code = 78


class BadConfiguration(Fatal):
    """The configuration file is missing, malformed or contradicts itself."""


class WrongChain(Fatal):
    """The endpoint answers with another chain id than the configured one."""


class WrongContract(Fatal):
    """No contract at the address, or not the one that was expected."""


class SignerNotInSet(Fatal):
    """The signing key is not one of the contract's signers."""


class LockedKeystore(Fatal):
    """The keystore cannot be opened with the password given."""


class StorageFailure(Fatal):
    """The journal or an artefact cannot be written: disk full, no permission, corrupt file."""


class Difference(OracleError):
    """Two computations that must agree do not; the message names each field with both values."""

    exit_code = 1
