"""Signers: who signs a report, after a look of their own at what they sign.

A key lives in a keystore v3 file and, once unlocked, in one attribute that nothing prints. The key that signs reports
is not the key that pays for gas.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_keys.constants import SECPK1_N
from eth_keys.datatypes import PrivateKey
from eth_keys.datatypes import Signature as RecoverableSignature
from pydantic import SecretStr

from oracle.errors import BadConfiguration, BadData, LockedKeystore, StorageFailure
from oracle.report import Domain, digest
from oracle.types import MarginReport, MarketMargin, Signature


@dataclass(frozen=True, slots=True)
class SigningLimits:
    """What a signer never signs beyond, whatever the contract would accept; a guard against a wrong unit.

    Parameters
    ----------
    minimum_ratio_ppm, maximum_ratio_ppm : int
        Range of every initial and maintenance ratio.
    maximum_slope_ppm : int
        Largest slope, ppm per million USD.
    maximum_validity_seconds : int
        Longest time between the reference block and the end of validity.
    """

    minimum_ratio_ppm: int = 1
    maximum_ratio_ppm: int = 5_000_000
    maximum_slope_ppm: int = 5_000_000
    maximum_validity_seconds: int = 86_400


class Signer(Protocol):
    """Gives signatures under one address."""

    @property
    def address(self) -> str:
        """Checksummed address that the signatures recover to."""

    def sign(self, report: MarginReport) -> Signature:
        """Return the signature of a report, or raise BadData for one that this signer never signs."""


class KeystoreSigner:
    """Signs with a key in memory, unlocked from a keystore file by `open_signer`.

    Parameters
    ----------
    account : LocalAccount
        The unlocked key.
    domain : Domain
        The only contract that this signer signs for.
    limits : SigningLimits
    """

    __slots__ = ("_address", "_domain", "_key", "_limits")

    def __init__(self, account: LocalAccount, domain: Domain, limits: SigningLimits = SigningLimits()) -> None:
        self._key = PrivateKey(bytes(account.key))
        self._address = account.address
        self._domain = domain
        self._limits = limits

    def __repr__(self) -> str:
        return f"KeystoreSigner({self._address})"

    def __reduce__(self) -> str:
        raise TypeError("a signer is not copied or stored: its key stays in this process")

    @property
    def address(self) -> str:
        """Checksummed address that the signatures recover to."""
        return self._address

    def sign(self, report: MarginReport) -> Signature:
        """Return the signature of a report for this signer's domain.

        Raises
        ------
        BadData
            If a value is beyond this signer's limits, or the signature does not recover to the signer's address.
        """
        check_limits(report, self._limits)
        message = digest(report, self._domain)
        given = compact(self._address, self._key.sign_msg_hash(message))
        if recovered_address(message, given) != self._address:
            raise BadData(f"a signature by {self._address} recovers to somebody else", "check the keystore")
        return given


def compact(address: str, signature: RecoverableSignature) -> Signature:
    """Return the compact form of a signature (ERC-2098), s in the lower half as the contract asks."""
    parity, s = signature.v, signature.s
    if s > SECPK1_N // 2:
        parity, s = 1 - parity, SECPK1_N - s
    return Signature(address, signature.r.to_bytes(32, "big"), (parity << 255 | s).to_bytes(32, "big"))


def recovered_address(message: bytes, signature: Signature) -> str:
    """Return the checksummed address that a compact signature (ERC-2098) of a 32-byte digest recovers to."""
    vs = int.from_bytes(signature.vs, "big")
    parts = (vs >> 255, int.from_bytes(signature.r, "big"), vs & (2**255 - 1))
    return RecoverableSignature(vrs=parts).recover_public_key_from_msg_hash(message).to_checksum_address()


def check_limits(report: MarginReport, limits: SigningLimits) -> None:
    """Refuse a report with a value that is absurd whatever the model says.

    Raises
    ------
    BadData
        Names the market, the field and the value.
    """
    validity = report.valid_until - report.reference_timestamp
    if not 0 < validity <= limits.maximum_validity_seconds:
        raise BadData(f"valid for {validity} s", f"this signer signs 1 to {limits.maximum_validity_seconds} s")
    for market in report.markets:
        _check_market(market, limits)


def _check_market(market: MarketMargin, limits: SigningLimits) -> None:
    for field in fields(market)[1:]:
        value = getattr(market, field.name)
        is_slope = field.name.startswith("slope")
        least, most = (
            (0, limits.maximum_slope_ppm) if is_slope else (limits.minimum_ratio_ppm, limits.maximum_ratio_ppm)
        )
        if not least <= value <= most:
            raise BadData(
                f"market {market.market_id}: {field.name} is {value}, this signer signs {least} to {most}",
                "check the units of the model's output",
            )
    for side in ("long", "short"):
        initial = getattr(market, f"initial_{side}_ppm")
        maintenance = getattr(market, f"maintenance_{side}_ppm")
        if initial < maintenance:
            raise BadData(f"market {market.market_id}: initial {initial} below maintenance {maintenance}, {side} side")


def open_account(path: Path, password: SecretStr) -> LocalAccount:
    """Return the key of a keystore v3 file.

    Raises
    ------
    LockedKeystore
        If the file is missing, malformed, or locked with another password; never says more about the content.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise LockedKeystore(f"keystore {path}: {error.strerror}", "correct the path") from None
    except ValueError:
        raise LockedKeystore(f"keystore {path} is not JSON", "restore the file") from None
    try:
        key = Account.decrypt(content, password.get_secret_value())
    except ValueError:
        raise LockedKeystore(f"keystore {path} does not open with this password", "correct the password") from None
    except (KeyError, TypeError, NotImplementedError):
        raise LockedKeystore(f"{path} is not a keystore of version 3", "restore the file") from None
    account: LocalAccount = Account.from_key(key)
    return account


def open_signer(
    path: Path, password: SecretStr, domain: Domain, limits: SigningLimits = SigningLimits()
) -> KeystoreSigner:
    """Return the signer of a keystore v3 file; errors as `open_account`."""
    return KeystoreSigner(open_account(path, password), domain, limits)


def create_keystore(path: Path, password: SecretStr, iterations: int | None = None) -> str:
    """Write a new key to a keystore v3 file that only its owner can read; return its address.

    Parameters
    ----------
    path : Path
        Must not exist.
    password : SecretStr
        Not empty.
    iterations : int, optional
        Work of the key derivation (scrypt n); the library's default when not given.

    Raises
    ------
    BadConfiguration
        If the file exists or the password is empty; nothing is overwritten.
    StorageFailure
        If it cannot be written whole; nothing is left behind.
    """
    if not password.get_secret_value():
        raise BadConfiguration("the keystore password is empty", "choose one")
    if path.exists():
        raise BadConfiguration(f"{path} exists", "choose another name: a keystore is never overwritten")
    account = Account.create()
    content = json.dumps(Account.encrypt(account.key, password.get_secret_value(), iterations=iterations))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadConfiguration(f"{path} exists", "choose another name: a keystore is never overwritten") from None
    except OSError as error:
        raise StorageFailure(f"cannot create {path}: {error.strerror}", "check the folder's permissions") from None
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StorageFailure(f"cannot write {path}: {error.strerror}", "check disk space") from None
    return str(account.address)
