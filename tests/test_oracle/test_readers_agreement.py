"""The sample that is read again: what the lens said is compared with the contracts' own answers, scripted here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from eth_abi.abi import encode

from oracle.chain.abi import Interface, selector
from oracle.chain.contract import Contract, load_artefact
from oracle.errors import BadBook, BadPrice, CallReverted, OracleError
from oracle.readers.agreement import AGGREGATOR_V3, agreed_read, check_accounts, check_feed
from oracle.types import AccountBook, BlockStamp, Underlying

pytestmark = pytest.mark.fast

STAMP = BlockStamp(7, b"\x07" * 32, bytes(32), 1_700_000_000)
FEED = "0x1111111111111111111111111111111111111111"
BTC = Underlying("BTC", FEED, 6_000_000_000_000, STAMP.timestamp - 60, 3, 10, 100)
ROUND = (3, BTC.price_e8, BTC.price_timestamp, BTC.price_timestamp, 3)


Said = tuple[list[str], tuple[Any, ...]] | OracleError
"""The types and values that a function returns, or what it raises."""


class ScriptedClient:
    """Answers each function, whatever its arguments, in place of endpoints that agree."""

    def __init__(self, script: dict[str, Said]) -> None:
        self._script = {selector(signature): said for signature, said in script.items()}

    def agreed_call(self, stamp: BlockStamp, to: str, data: bytes) -> bytes:
        assert stamp == STAMP
        said = self._script[data[:4]]
        if isinstance(said, OracleError):
            raise said
        return encode(*said)


def scripted(interface: Interface, script: dict[str, Said]) -> Contract:
    return Contract(ScriptedClient(script), FEED, interface)  # type: ignore[arg-type]


LATEST = ["uint80", "int256", "uint256", "uint256", "uint80"]


def feed_that_says(decimals: int, latest: tuple[int, ...] | OracleError) -> Contract:
    said = latest if isinstance(latest, OracleError) else (LATEST, latest)
    return scripted(AGGREGATOR_V3, {"decimals()": (["uint8"], (decimals,)), "latestRoundData()": said})


def test_a_feed_that_says_the_same_passes() -> None:
    check_feed(feed_that_says(8, ROUND), BTC, STAMP)


@pytest.mark.parametrize("decimals", [0, 6, 18])
def test_incident_i7_a_feed_of_another_scale_is_refused(decimals: int) -> None:
    """Pyth, 2021-09-20: an exponent was misread; here a scale other than 8 decimals is never rescaled by guess."""
    with pytest.raises(BadPrice, match=f"BTC feed {FEED} has {decimals} decimals, 8 expected"):
        check_feed(feed_that_says(decimals, ROUND), BTC, STAMP)


@pytest.mark.parametrize("field", ["round_id", "price_e8", "price_timestamp"])
def test_a_feed_that_says_otherwise_is_refused(field: str) -> None:
    other = replace(BTC, **{field: getattr(BTC, field) + 1})
    with pytest.raises(BadPrice, match="says .* the lens"):
        check_feed(feed_that_says(8, ROUND), other, STAMP)


def test_a_feed_that_reverts_is_refused() -> None:
    with pytest.raises(BadPrice, match="does not answer: No data present"):
        check_feed(feed_that_says(8, CallReverted("No data present")), BTC, STAMP)


def exchange_that_says(account: int, version: int, ids: list[int], sizes: list[int]) -> Contract:
    return scripted(
        load_artefact("DemoExchange").interface,
        {
            "accountAt(uint256)": (["address"], ("0x" + account.to_bytes(20).hex(),)),
            "accountState(address)": (["int64", "uint64", "bool"], (5, version, False)),
            "positionsOf(address)": (["uint32[]", "int64[]"], (ids, sizes)),
        },
    )


ONE_ACCOUNT = AccountBook(
    address=np.array([[0] * 19 + [9]], dtype=np.uint8),
    position_version=np.array([4], dtype=np.uint64),
    cash_micro=np.array([5], dtype=np.int64),
    indptr=np.array([0, 2], dtype=np.int64),
    instrument_id=np.array([2, 0], dtype=np.int32),
    size_lots=np.array([-7, 8], dtype=np.int64),
)


def test_an_account_that_is_the_same_at_the_venue_passes() -> None:
    check_accounts(exchange_that_says(9, 4, [0, 2], [8, -7]), ONE_ACCOUNT, STAMP)


@pytest.mark.parametrize(
    "said",
    [
        (8, 4, [0, 2], [8, -7]),
        (9, 5, [0, 2], [8, -7]),
        (9, 4, [0, 2], [8, 7]),
        (9, 4, [0, 1], [8, -7]),
        (9, 4, [0], [8]),
    ],
)
def test_an_account_that_is_another_at_the_venue_is_refused(said: tuple[int, int, list[int], list[int]]) -> None:
    with pytest.raises(BadBook, match="account 0 is .* at the venue and .* through the lens"):
        check_accounts(exchange_that_says(*said), ONE_ACCOUNT, STAMP)


def test_a_revert_of_an_agreed_read_is_named() -> None:
    data = selector("UnknownInstrument(uint32)") + encode(["uint32"], [3])
    script: dict[str, Said] = {"markE8(uint32)": CallReverted("execution reverted", data=data)}
    with pytest.raises(CallReverted, match="UnknownInstrument\\(instrumentId=3\\)"):
        agreed_read(scripted(load_artefact("DemoExchange").interface, script), STAMP, "markE8", 3)
