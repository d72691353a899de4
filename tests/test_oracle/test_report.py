"""What is signed: the report's fields, its digest against eth-account's own EIP-712, its details, its packed bytes."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from oracle.errors import BadBook, BadData, Refused, SignerNotInSet
from oracle.packing import pack, unpack
from oracle.report import DOMAIN_NAME, build, canonical_json, details_hash, digest, refers_to
from oracle.types import MarginReport, Signature
from tests.posting_cases import (
    DOMAIN,
    SIGNER_SET,
    STAMP,
    any_reports,
    margin,
    report,
    signers,
    snapshot,
    valuation,
    with_epoch,
)

pytestmark = pytest.mark.fast

REPORT_TYPES = {
    "Report": [
        ("signerSetEpoch", "uint32"),
        ("sequence", "uint64"),
        ("referenceBlock", "uint64"),
        ("referenceBlockHash", "bytes32"),
        ("referenceTimestamp", "uint64"),
        ("validUntil", "uint64"),
        ("modelHash", "bytes32"),
        ("detailsHash", "bytes32"),
        ("accountsRoot", "bytes32"),
        ("accountCount", "uint32"),
        ("exceedsStep", "bool"),
        ("markets", "MarketMargin[]"),
    ],
    "MarketMargin": [
        (name, "uint32")
        for name in (
            "marketId",
            "initialLong",
            "initialShort",
            "maintenanceLong",
            "maintenanceShort",
            "slopeLong",
            "slopeShort",
        )
    ],
}


def digest_by_eth_account(subject: MarginReport) -> bytes:
    """Return the digest as an implementation that somebody else wrote computes it."""
    names = [name for name, _ in REPORT_TYPES["Report"]]
    market_names = [name for name, _ in REPORT_TYPES["MarketMargin"]]
    message: dict[str, Any] = dict(zip(names, (getattr(subject, field.name) for field in fields(subject)), strict=True))
    message["markets"] = [
        dict(zip(market_names, (market.market_id, *market.values()), strict=True)) for market in subject.markets
    ]
    signable = encode_typed_data(
        domain_data={
            "name": DOMAIN_NAME,
            "version": "1",
            "chainId": DOMAIN.chain_id,
            "verifyingContract": DOMAIN.address,
        },
        message_types={
            kind: [{"name": name, "type": value} for name, value in members] for kind, members in REPORT_TYPES.items()
        },
        message_data=message,
    )
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


@given(any_reports())
def test_digest_equals_that_of_eth_account(subject: MarginReport) -> None:
    assert digest(subject, DOMAIN) == digest_by_eth_account(subject)


def test_digest_depends_on_chain_and_contract() -> None:
    subject = report(margin())
    assert digest(subject, DOMAIN) != digest(subject, replace(DOMAIN, chain_id=1))
    assert digest(subject, DOMAIN) != digest(subject, replace(DOMAIN, address="0x" + "11" * 20))


def test_a_report_follows_the_last_one_and_sorts_its_markets() -> None:
    built = build(snapshot(3), valuation(3, margin(9), margin(2)), valid_for_seconds=1_800)
    assert (built.sequence, built.signer_set_epoch, built.account_count) == (8, 1, 3)
    assert (built.valid_until, built.exceeds_step) == (STAMP.timestamp + 1_800, False)
    assert [market.market_id for market in built.markets] == [2, 9]
    assert built.details_hash == keccak(text='{"assumptions":["simulated"],"seed":5}')
    assert refers_to(built, STAMP)
    assert not refers_to(built, replace(STAMP, hash=bytes(32)))


def test_an_empty_book_gives_the_zero_root() -> None:
    built = build(snapshot(0), valuation(0, margin()), valid_for_seconds=60)
    assert (built.accounts_root, built.account_count) == (bytes(32), 0)


def test_a_market_that_is_there_twice_is_refused() -> None:
    with pytest.raises(BadData, match="market 4 is in the valuation twice"):
        build(snapshot(0), valuation(0, margin(4), margin(4)), valid_for_seconds=60)


@pytest.mark.parametrize("value", [-1, 2**32])
def test_a_value_beyond_32_bits_is_refused(value: int) -> None:
    with pytest.raises(BadData, match=f"market 4 has {value}, beyond 32 bits"):
        build(snapshot(0), valuation(0, margin(4, initial=value)), valid_for_seconds=60)


def test_a_valuation_of_another_book_is_refused() -> None:
    with pytest.raises(BadBook, match="a book of 3 accounts with 2 initial"):
        build(snapshot(3), valuation(2), valid_for_seconds=60)


def test_details_have_one_text_whatever_the_order_of_their_keys() -> None:
    first = {"b": [1, {"y": "é", "x": None}], "a": True}
    second = {"a": True, "b": [1, {"x": None, "y": "é"}]}
    assert canonical_json(first) == canonical_json(second) == '{"a":true,"b":[1,{"x":null,"y":"\\u00e9"}]}'
    assert details_hash(first) == details_hash(second)


def test_incident_i7_no_float_enters_what_is_signed() -> None:
    with pytest.raises(BadData, match=r"details.markets\[1\].ratio is 0.1 of type float"):
        details_hash({"markets": [{"ratio": 1}, {"ratio": 0.1}]})
    with pytest.raises(BadData, match="has the key 3"):
        details_hash({"markets": {3: "x"}})


# ---------------------------------------------------------------------- packing


@given(any_reports(), st.sets(st.integers(0, 2)), st.randoms())
def test_unpacking_gives_back_what_was_packed(subject: MarginReport, chosen: set[int], random: Any) -> None:
    signer_set = with_epoch(SIGNER_SET, subject.signer_set_epoch)
    signatures = [Signature(SIGNER_SET.signers[index], bytes([index]) * 32, bytes([9]) * 32) for index in chosen]
    shuffled = list(signatures)
    random.shuffle(shuffled)
    packed = pack(subject, signer_set, shuffled)
    assert len(packed) == 172 + 28 * len(subject.markets) + 2 + 20 * 3 + 4 + 64 * len(signatures)
    assert unpack(packed) == (subject, signer_set, tuple(sorted(signatures, key=lambda each: int(each.signer, 16))))


@given(any_reports(most_markets=2), st.data())
def test_incident_i12_one_byte_more_or_less_is_refused(subject: MarginReport, data: st.DataObject) -> None:
    packed = pack(subject, with_epoch(SIGNER_SET, subject.signer_set_epoch), [signers()[1].sign(report(margin()))])
    with pytest.raises(BadData):
        unpack(packed + data.draw(st.binary(min_size=1, max_size=64)))
    with pytest.raises(BadData):
        unpack(packed[: data.draw(st.integers(0, len(packed) - 1))])


def test_incident_i12_flags_have_one_form() -> None:
    packed = bytearray(pack(report(), SIGNER_SET, []))
    packed[168] = 2
    with pytest.raises(BadData, match="exceedsStep is 2"):
        unpack(bytes(packed))
    packed[168] = 0
    packed[-1] = 0b1000
    with pytest.raises(BadData, match="bitmap 0x8 names a signer beyond the 3"):
        unpack(bytes(packed))


def test_what_the_contract_could_not_read_is_not_packed() -> None:
    signature = signers()[0].sign(report(margin()))
    with pytest.raises(Refused, match="epoch 1, the set is of epoch 2"):
        pack(report(), with_epoch(SIGNER_SET, 2), [])
    with pytest.raises(Refused, match="two signatures by"):
        pack(report(), SIGNER_SET, [signature, signature])
    with pytest.raises(SignerNotInSet, match="is not in the signer set of epoch 1"):
        pack(report(), SIGNER_SET, [replace(signature, signer=DOMAIN.address)])


def test_a_signer_is_the_same_in_any_letter_case() -> None:
    signature = signers()[0].sign(report(margin()))
    lower = replace(signature, signer=signature.signer.lower())
    assert pack(report(), SIGNER_SET, [lower]) == pack(report(), SIGNER_SET, [signature])
