"""The table from nodes' texts to types, and what no message may show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.chain.faults import AlreadyKnown, EndpointFault, error_from_node, redact_text, revert_data
from oracle.errors import (
    BlockUnavailable,
    CallReverted,
    CallTooLarge,
    InsufficientFunds,
    NonceTaken,
    OracleError,
    Underpriced,
)
from oracle.logs import redact_url

pytestmark = pytest.mark.fast

URL = "https://user:pa55word@node.example:8443/v2/0123456789abcdef?apikey=SECRETSECRET"


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (3, "execution reverted", CallReverted),
        (-32000, "execution reverted: nope", CallReverted),
        (-32015, "VM execution error. Reverted", CallReverted),
        (-32603, "nonce too low", NonceTaken),
        (-32003, "nonce too low: next nonce 5, tx nonce 4", NonceTaken),
        (-32000, "already known", AlreadyKnown),
        (-32003, "transaction already imported", AlreadyKnown),
        (-32000, "replacement transaction underpriced", Underpriced),
        (-32000, "transaction underpriced: gas tip cap 0, minimum needed 1", Underpriced),
        (-32000, "max fee per gas less than block base fee: maxFeePerGas: 1", Underpriced),
        (-32000, "insufficient funds for gas * price + value: address 0x1", InsufficientFunds),
        (-32003, "Insufficient funds for gas * price + value", InsufficientFunds),
        (-32001, "Resource not found", BlockUnavailable),
        (-32000, "header not found", BlockUnavailable),
        (-32000, "hash 0x12 is not currently canonical", BlockUnavailable),
        (-32000, "missing trie node 12 (path ) state 0x1 is not available", BlockUnavailable),
        (-32000, "BlockOutOfRangeError: block height is 1 but requested was 5", BlockUnavailable),
        (-32000, "out of gas", CallTooLarge),
        (-32603, "EVM error OutOfGas", CallTooLarge),
        (-32000, "execution aborted (timeout = 5s)", CallTooLarge),
        (-32005, "query returned more than 10000 results", CallTooLarge),
        (-32600, "block range is too wide", CallTooLarge),
        (-32602, "exceed maximum block range: 50000", CallTooLarge),
        (-32614, "eth_getLogs is limited to a 10,000 range", CallTooLarge),
        (-32600, "ranges over 10000 blocks are not supported on freetier", CallTooLarge),
        (-32005, "rate limited to 10 requests", EndpointFault),
        (-32005, "daily request count exceeded, request rate limited", EndpointFault),
        (-32601, "the method eth_feeHistory does not exist", EndpointFault),
        (-32603, "Internal error", EndpointFault),
    ],
)
def test_a_text_has_one_meaning_whatever_its_code(code: int, text: str, kind: type[OracleError]) -> None:
    assert type(error_from_node({"code": code, "message": text}, URL)) is kind


def test_data_makes_it_a_revert_even_under_another_text() -> None:
    error = error_from_node({"code": -32603, "message": "Internal error", "data": "0x08c379a0"}, URL)
    assert isinstance(error, CallReverted)
    assert error.data == bytes.fromhex("08c379a0")


@pytest.mark.parametrize(
    ("error", "data"),
    [
        ({"data": "0x0102"}, b"\x01\x02"),
        ({"data": {"data": "0x0102", "message": "reverted"}}, b"\x01\x02"),
        ({"data": "Reverted 0x0102"}, b"\x01\x02"),
        ({"data": "0x"}, b""),
        ({"data": None}, b""),
        ({}, b""),
    ],
)
def test_revert_data_is_found_where_nodes_put_it(error: dict[str, object], data: bytes) -> None:
    assert revert_data(error) == data


def test_a_message_shows_where_but_not_the_keys() -> None:
    assert redact_url(URL) == "https://node.example:8443/***"
    assert redact_url("http://127.0.0.1:8545") == "http://127.0.0.1:8545"
    text = str(error_from_node({"message": f"bad key 0123456789abcdef at {URL} SECRETSECRET"}, URL))
    assert "node.example" in text
    for secret in ("0123456789abcdef", "SECRETSECRET", "pa55word"):
        assert secret not in text


@given(key=st.from_regex(r"[A-Za-z0-9]{12,40}", fullmatch=True), words=st.text(max_size=40))
def test_a_key_in_the_path_never_survives(key: str, words: str) -> None:
    url = f"https://node.example/v3/{key}"
    assert key not in redact_url(url)
    assert key not in redact_text(f"{words}{key}{words} {url}", url)
