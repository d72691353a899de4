"""Keys: what is signed recovers to the signer, what is absurd is not signed, and nothing ever shows a secret."""

from __future__ import annotations

import copy
import json
import pickle
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from eth_keys.constants import SECPK1_N
from eth_keys.datatypes import Signature as RecoverableSignature
from hypothesis import given
from pydantic import SecretStr

from oracle.errors import BadConfiguration, BadData, LockedKeystore, StorageFailure
from oracle.report import digest
from oracle.signer import (
    KeystoreSigner,
    compact,
    create_keystore,
    open_account,
    open_signer,
    recovered_address,
)
from oracle.types import MarketMargin
from tests.posting_cases import DOMAIN, SIGNER_ACCOUNTS, bytes32, margin, report

pytestmark = pytest.mark.fast

PASSWORD = SecretStr("correct horse battery staple")
LIGHT_WORK = 4_096


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "signer.json"
    create_keystore(path, PASSWORD, LIGHT_WORK)
    return path


@given(bytes32)
def test_signatures_are_compact_low_and_recover_to_the_signer(model_hash: bytes) -> None:
    signer = KeystoreSigner(SIGNER_ACCOUNTS[0], DOMAIN)
    subject = replace(report(margin()), model_hash=model_hash)
    signature = signer.sign(subject)
    s = int.from_bytes(signature.vs, "big") & (2**255 - 1)
    assert 0 < s <= SECPK1_N // 2
    assert len(signature.r) == len(signature.vs) == 32
    assert recovered_address(digest(subject, DOMAIN), signature) == signature.signer == signer.address
    assert signer.sign(subject) == signature, "the nonce of a signature follows from key and message"


def test_a_high_s_is_turned_into_the_low_one() -> None:
    subject = report(margin())
    low = KeystoreSigner(SIGNER_ACCOUNTS[0], DOMAIN).sign(subject)
    vs = int.from_bytes(low.vs, "big")
    high = RecoverableSignature(vrs=(1 - (vs >> 255), int.from_bytes(low.r, "big"), SECPK1_N - (vs & (2**255 - 1))))
    assert compact(low.signer, high) == low


@pytest.mark.parametrize(
    ("offered", "message"),
    [
        (margin(initial=0, maintenance=0), "initial_long_ppm is 0, this signer signs 1 to 5000000"),
        (margin(initial=5_000_001), "initial_long_ppm is 5000001"),
        (margin(maintenance=0), "maintenance_long_ppm is 0"),
        (margin(slope=5_000_001), "slope_long_ppm is 5000001, this signer signs 0 to 5000000"),
        (margin(initial=59_999), "initial 59999 below maintenance 60000, long side"),
    ],
)
def test_incident_i5_an_absurd_value_is_not_signed_whatever_the_contract_would_say(
    offered: MarketMargin, message: str
) -> None:
    with pytest.raises(BadData, match=message):
        KeystoreSigner(SIGNER_ACCOUNTS[0], DOMAIN).sign(report(offered))


@pytest.mark.parametrize("valid_until_offset", [0, -1, 86_401])
def test_an_absurd_validity_is_not_signed(valid_until_offset: int) -> None:
    subject = report(margin())
    with pytest.raises(BadData, match=f"valid for {valid_until_offset} s"):
        KeystoreSigner(SIGNER_ACCOUNTS[0], DOMAIN).sign(
            replace(subject, valid_until=subject.reference_timestamp + valid_until_offset)
        )


def test_no_form_of_a_signer_shows_its_key(keystore: Path) -> None:
    signer = open_signer(keystore, PASSWORD, DOMAIN)
    secret = bytes(open_account(keystore, PASSWORD).key).hex()
    for shown in (repr(signer), str(signer), f"{signer}", str(vars(type(signer)))):
        assert secret not in shown
    assert not hasattr(signer, "__dict__")
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not copied or stored"):
            duplicate(signer)


def test_a_new_keystore_is_readable_by_its_owner_only_and_opens(tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    address = create_keystore(path, PASSWORD, LIGHT_WORK)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_signer(path, PASSWORD, DOMAIN).address == address
    assert json.loads(path.read_text())["version"] == 3


def test_a_keystore_is_never_overwritten(keystore: Path) -> None:
    before = keystore.read_bytes()
    with pytest.raises(BadConfiguration, match="a keystore is never overwritten"):
        create_keystore(keystore, PASSWORD, LIGHT_WORK)
    assert keystore.read_bytes() == before


def test_a_keystore_needs_a_password_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="the keystore password is empty"):
        create_keystore(tmp_path / "a.json", SecretStr(""), LIGHT_WORK)
    with pytest.raises(StorageFailure, match="cannot create .*No such file or directory"):
        create_keystore(tmp_path / "missing" / "a.json", PASSWORD, LIGHT_WORK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        ("not json", "is not JSON"),
        ("[]", "is not a keystore of version 3"),
        ('{"version": 3}', "is not a keystore of version 3"),
        ('{"version": 9, "crypto": {}}', "is not a keystore of version 3"),
    ],
)
def test_a_keystore_that_cannot_be_read_is_locked(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(LockedKeystore, match=message):
        open_account(path, PASSWORD)


def test_a_wrong_password_leaves_no_trace_of_either(keystore: Path) -> None:
    with pytest.raises(LockedKeystore, match="does not open with this password") as caught:
        open_account(keystore, SecretStr("wrong guess"))
    assert "wrong guess" not in str(caught.value)
    assert PASSWORD.get_secret_value() not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_keystore_of_another_tool_opens(tmp_path: Path) -> None:
    account = Account.from_key(b"\x07" * 32)
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(Account.encrypt(account.key, "x", kdf="pbkdf2", iterations=1_000)))
    assert open_signer(path, SecretStr("x"), DOMAIN).address == account.address
