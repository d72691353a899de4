"""The ABI codec against known selectors, against eth_abi, and on errors and events of every shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from oracle.chain.abi import Call, Interface, Reasons, selector
from oracle.chain.wire import Log
from oracle.errors import CallReverted, WrongContract

pytestmark = pytest.mark.fast

ALICE = "0x" + "ab" * 20
ALICE_CHECKED = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"


def field(name: str, kind: str, *components: dict[str, Any], indexed: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind, "components": list(components), "indexed": indexed}


POINT = (field("owner", "address"), field("nodes", "uint24[2]"))
ABI: list[dict[str, Any]] = [
    {"type": "constructor", "inputs": [field("owner", "address")]},
    {"type": "receive"},
    {
        "type": "function",
        "name": "transfer",
        "inputs": [field("to", "address"), field("amount", "uint256")],
        "outputs": [field("", "bool")],
    },
    {"type": "function", "name": "symbol", "inputs": [], "outputs": [field("", "string")]},
    {"type": "function", "name": "read", "inputs": [], "outputs": [field("points", "tuple[]", *POINT)]},
    {"type": "function", "name": "both", "inputs": [], "outputs": [field("a", "int8"), field("b", "tuple", *POINT)]},
    {"type": "function", "name": "put", "inputs": [field("point", "tuple", *POINT)], "outputs": []},
    {
        "type": "event",
        "name": "Moved",
        "inputs": [
            field("who", "address", indexed=True),
            field("amount", "uint256"),
            field("note", "string", indexed=True),
            field("point", "tuple", *POINT),
        ],
    },
    {
        "type": "error",
        "name": "SequenceNotIncreasing",
        "inputs": [field("last", "uint64"), field("offered", "uint64")],
    },
    {"type": "error", "name": "Denied", "inputs": [field("who", "address"), field("root", "bytes32")]},
]
INTERFACE = Interface("MarginOracle", ABI)
REASONS = Reasons(INTERFACE)
NO_TEXT = selector("Error(string)") + encode(["bytes"], [b"\xff\xfe"])
TOO_LONG = selector("Error(string)") + (32).to_bytes(32) + b"\xff" * 32
LOG = Log(ALICE, (), b"", 1, b"\x01" * 32, b"\x02" * 32, 0)


def test_selectors_are_those_of_the_standard() -> None:
    assert selector("transfer(address,uint256)").hex() == "a9059cbb"
    assert INTERFACE.encode("transfer", ALICE, 5)[:4].hex() == "a9059cbb"
    assert INTERFACE.encode("transfer(address,uint256)", ALICE, 5) == INTERFACE.encode("transfer", ALICE, 5)
    assert INTERFACE.encode("put", (ALICE, (1, 2)))[:4] == keccak(text="put((address,uint24[2]))")[:4]
    assert INTERFACE.encode_constructor(ALICE) == encode(["address"], [ALICE])


@given(amount=st.integers(0, 2**256 - 1))
def test_arguments_go_as_eth_abi_writes_them(amount: int) -> None:
    assert INTERFACE.encode("transfer", ALICE, amount)[4:] == encode(["address", "uint256"], [ALICE, amount])


def test_structs_come_back_by_name_at_any_depth() -> None:
    (point,) = INTERFACE.decode("read", encode(["(address,uint24[2])[]"], [[(ALICE, (1, 2))]]))
    assert (point.owner, point.nodes) == (ALICE_CHECKED, (1, 2))
    number, point = INTERFACE.decode("both", encode(["int8", "(address,uint24[2])"], [-3, (ALICE, (1, 2))]))
    assert (number, point.nodes) == (-3, (1, 2))
    assert INTERFACE.decode("transfer", encode(["bool"], [True])) is True
    assert INTERFACE.decode("put", b"") == ()


@pytest.mark.parametrize("data", [b"", b"\x01" * 31, (2).to_bytes(32)])
def test_a_result_that_does_not_fit_is_another_contract(data: bytes) -> None:
    with pytest.raises(WrongContract, match=f"returned {len(data)} bytes"):
        INTERFACE.decode("transfer", data)


@pytest.mark.parametrize("data", [NO_TEXT[4:], TOO_LONG[4:]])
def test_text_that_is_none_does_not_fit(data: bytes) -> None:
    with pytest.raises(WrongContract, match="do not fit its ABI"):
        INTERFACE.decode("symbol", data)


def test_a_function_that_is_not_there_is_said_so() -> None:
    with pytest.raises(WrongContract, match="no function burn"):
        INTERFACE.encode("burn")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            selector("SequenceNotIncreasing(uint64,uint64)") + encode(["uint64", "uint64"], [3, 3]),
            "MarginOracle.SequenceNotIncreasing(last=3, offered=3)",
        ),
        (
            selector("Denied(address,bytes32)") + encode(["address", "bytes32"], [ALICE, b"\x07" * 32]),
            f"MarginOracle.Denied(who={ALICE_CHECKED}, root=0x{'07' * 32})",
        ),
        (selector("Error(string)") + encode(["string"], ["nope"]), "Error(reason=nope)"),
        (selector("Panic(uint256)") + encode(["uint256"], [17]), "Panic(code=17)"),
        (b"\x01\x02\x03\x04\x05", "unknown error 0x0102030405"),
        (selector("Panic(uint256)") + b"\x01", f"malformed Panic 0x{selector('Panic(uint256)').hex()}01"),
        (b"", "reverted without a reason"),
        (NO_TEXT, f"malformed Error 0x{NO_TEXT.hex()}"),
        (TOO_LONG, f"malformed Error 0x{TOO_LONG.hex()}"),
    ],
)
def test_a_revert_is_told_in_words(data: bytes, words: str) -> None:
    assert REASONS.describe(data) == words


@given(data=st.binary(max_size=200))
def test_no_revert_data_is_too_odd_to_describe(data: bytes) -> None:
    known = list(INTERFACE.errors)
    assert REASONS.describe(data)
    assert REASONS.describe(known[0] + data)


def test_a_revert_without_data_keeps_the_nodes_words() -> None:
    assert REASONS.named(CallReverted("execution reverted")).message == "execution reverted"


def test_an_event_is_decoded_from_topics_and_data() -> None:
    note = keccak(text="hello")
    log = replace(
        LOG,
        topics=(INTERFACE.topic("Moved"), bytes(12) + bytes.fromhex(ALICE[2:]), note),
        data=encode(["uint256", "(address,uint24[2])"], [9, (ALICE, (1, 2))]),
    )
    event = INTERFACE.decode_event(log)
    assert event is not None
    assert event.name == "Moved"
    assert list(event.values) == ["who", "amount", "note", "point"]
    assert (event.values["who"], event.values["amount"], event.values["note"]) == (ALICE_CHECKED, 9, note)
    assert event.values["point"].nodes == (1, 2)
    for odd in (replace(log, topics=log.topics[:2]), replace(log, data=b"")):
        with pytest.raises(WrongContract, match="event Moved"):
            INTERFACE.decode_event(odd)


def test_other_contracts_events_are_not_ours() -> None:
    assert INTERFACE.decode_event(LOG) is None
    assert INTERFACE.decode_event(replace(LOG, topics=(b"\x00" * 32,))) is None


def test_a_call_is_decoded_exactly_as_it_was_encoded() -> None:
    point = (ALICE, (1, 2))
    call = INTERFACE.decode_call(INTERFACE.encode("put", point))
    assert call.function == "put"
    assert call.arguments["point"].owner == ALICE_CHECKED
    assert call.arguments["point"].nodes == (1, 2)
    assert INTERFACE.decode_call(INTERFACE.encode("symbol")) == Call("symbol", {})


def test_calldata_that_is_no_call_is_refused() -> None:
    data = INTERFACE.encode("transfer", ALICE, 5)
    for odd in (b"", data[:3], bytes(4) + data[4:]):
        with pytest.raises(WrongContract, match="has no function 0x"):
            INTERFACE.decode_call(odd)
    # Too short, too long, and an address that has more than 20 bytes.
    for odd in (data[:4], data[:-1], data + bytes(32), data[:4] + b"\x01" + data[5:]):
        with pytest.raises(WrongContract, match=r"no call of MarginOracle\.transfer"):
            INTERFACE.decode_call(odd)
