"""Failover, agreement and pinned reads, through proxies that misbehave before a real chain."""

from __future__ import annotations

from collections.abc import Iterator
from traceback import format_exception
from typing import Any

import pytest

from oracle.chain.client import ChainClient, RequestLimits
from oracle.chain.devnet import Devnet, mine, reorganise
from oracle.chain.wire import quantity
from oracle.errors import (
    BadConfiguration,
    BlockUnavailable,
    CallReverted,
    CallTooLarge,
    EndpointsDisagree,
    EndpointUnavailable,
    WrongChain,
)
from oracle.types import BlockStamp
from tests.faulty_proxy import FAULTS, Fault, FaultyProxy, Responder

pytestmark = pytest.mark.chain

TARGET = "0x" + "22" * 20
RETURN_42 = {TARGET: {"code": "0x602a60005260206000f3"}}
REVERT = {TARGET: {"code": "0x60006000fd"}}
LOOP = {TARGET: {"code": "0x5b600056"}}
LIMITS = RequestLimits(timeout_seconds=0.3, budget_seconds=5.0, rounds=2)


class Pauses(list[float]):
    """Records the pauses in place of pausing."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def chain() -> Iterator[Devnet]:
    """Return a chain of the test's own, which it may reorganise."""
    with Devnet() as devnet:
        yield devnet


@pytest.fixture
def first(anvil: Devnet) -> Iterator[FaultyProxy]:
    with FaultyProxy(anvil.url) as proxy:
        yield proxy


@pytest.fixture
def second(anvil: Devnet) -> Iterator[FaultyProxy]:
    with FaultyProxy(anvil.url) as proxy:
        yield proxy


@pytest.fixture
def third(anvil: Devnet) -> Iterator[FaultyProxy]:
    with FaultyProxy(anvil.url) as proxy:
        yield proxy


def over(*proxies: FaultyProxy, **options: Any) -> ChainClient:
    settings = {"maximum_head_age_seconds": None, "limits": LIMITS, "sleep": Pauses(), **options}
    return ChainClient([proxy.url for proxy in proxies], 31_337, **settings)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_moves_on_to_the_next_endpoint(fault: Fault, first: FaultyProxy, second: FaultyProxy) -> None:
    first.always("eth_call", fault)
    client = over(first, second)
    stamp = client.reference_block()
    assert int.from_bytes(client.call(stamp, TARGET, b"", state_override=RETURN_42)) == 42
    assert (first.count("eth_call"), second.count("eth_call")) == (1, 1)
    client.call(stamp, TARGET, b"", state_override=RETURN_42)
    assert first.count("eth_call") == 1, "the endpoint that answered last is asked first"


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_everywhere_ends_as_transient_with_every_reason(fault: Fault, first: FaultyProxy) -> None:
    client = over(first)
    stamp = client.reference_block()
    first.always("*", fault)
    with pytest.raises(EndpointUnavailable, match=first.url):
        client.call(stamp, TARGET, b"")
    assert first.count("eth_call") == LIMITS.rounds


def test_a_fault_that_passes_is_outlived_with_a_growing_pause(first: FaultyProxy) -> None:
    pauses = Pauses()
    client = over(first, sleep=pauses, limits=RequestLimits(timeout_seconds=1.0, rounds=4, pause_seconds=0.2))
    stamp = client.reference_block()
    first.script("eth_call", "429", "500", "wrong-id")
    client.call(stamp, TARGET, b"")
    assert len(pauses) == 3
    for turn, pause in enumerate(pauses):
        assert 0.1 * 2**turn <= pause <= 0.2 * 2**turn


def test_the_budget_ends_the_rounds(first: FaultyProxy, second: FaultyProxy) -> None:
    now = iter(range(0, 1000, 20))
    client = over(first, second, monotonic=lambda: float(next(now)))
    first.always("*", "500")
    second.always("*", "500")
    with pytest.raises(EndpointUnavailable):
        client.head()
    assert len(first.seen) + len(second.seen) == 1


def test_a_revert_is_an_answer(first: FaultyProxy, second: FaultyProxy) -> None:
    client = over(first, second)
    stamp = client.reference_block()
    with pytest.raises(CallReverted):
        client.call(stamp, TARGET, b"", state_override=REVERT)
    with pytest.raises(CallTooLarge):
        client.call(stamp, TARGET, b"", gas=100_000, state_override=LOOP)
    assert (first.count("eth_call"), second.count("eth_call")) == (2, 0)


def test_another_chain_is_fatal_wherever_it_turns_up(anvil: Devnet, first: FaultyProxy) -> None:
    with pytest.raises(WrongChain, match="serves chain 31337, configured is chain 1"):
        ChainClient([anvil.url], 1).head()
    with FaultyProxy(lambda request: {"result": "0x5"}) as foreign:
        first.always("*", "500")
        with pytest.raises(WrongChain, match="chain 5"):
            over(first, foreign).head()


def test_no_endpoint_is_a_configuration_error() -> None:
    with pytest.raises(BadConfiguration):
        ChainClient([], 1)


def test_an_orphaned_hash_is_unavailable_and_not_a_fault(chain: Devnet) -> None:
    client = chain.client()
    orphan = mine(client, 3)
    mine(client, 1)
    assert client.call(orphan, TARGET, b"", state_override=RETURN_42)
    reorganise(client, 3)
    with pytest.raises(BlockUnavailable):
        client.call(orphan, TARGET, b"", state_override=RETURN_42)
    assert client.block_by_number(orphan.number).hash != orphan.hash
    with pytest.raises(BlockUnavailable):
        client.block_by_number(10_000)


def test_a_block_that_one_endpoint_misses_is_read_from_another(chain: Devnet, first: FaultyProxy) -> None:
    with FaultyProxy(chain.url) as ahead:
        stamp = mine(chain.client(), 5)
        client = over(first, ahead)
        assert int.from_bytes(client.call(stamp, TARGET, b"", state_override=RETURN_42)) == 42


def test_the_reference_block_is_as_deep_as_asked(chain: Devnet) -> None:
    client = chain.client(confirmations=3)
    assert client.reference_block().number == 0
    head = mine(client, 10)
    stamp = client.reference_block()
    assert stamp.number == head.number - 3
    assert client.block_by_number(stamp.number) == stamp
    assert client.block_by_number(stamp.number + 1).parent_hash == stamp.hash


def test_a_finalised_block_is_what_the_chain_says(chain: Devnet) -> None:
    client = ChainClient([chain.url], chain.chain_id, finality="finalized", maximum_head_age_seconds=None)
    mine(client, 100)
    stamp = client.reference_block()
    assert stamp == client.block_by_tag("finalized")
    assert stamp.number < client.head().number


def test_an_endpoint_that_is_behind_is_left_out(chain: Devnet) -> None:
    fresh = mine(chain.client())
    old = block_answer(timestamp=fresh.timestamp - 500)
    with FaultyProxy(old) as behind, FaultyProxy(chain.url) as current:
        client = over(behind, current, maximum_head_age_seconds=100, clock=lambda: fresh.timestamp + 1.0)
        assert client.head() == fresh
        statuses = {status.name: status for status in client.statuses()}
    assert "501 s old" in statuses[behind.url].fault
    assert statuses[current.url].head == fresh
    assert statuses[current.url].head_age_seconds == 1


def test_two_of_three_must_name_the_same_block(first: FaultyProxy, second: FaultyProxy, third: FaultyProxy) -> None:
    client = over(first, second, third)
    agreed = client.reference_block()
    second.always("*", "500")
    assert client.reference_block() == agreed
    third.always("*", "500")
    with pytest.raises(EndpointUnavailable, match="1 of 2"):
        client.reference_block()


def test_endpoints_that_all_differ_are_not_believed(first: FaultyProxy) -> None:
    with (
        FaultyProxy(block_answer(block_hash="0x01")) as one,
        FaultyProxy(block_answer(block_hash="0x02")) as two,
        pytest.raises(EndpointsDisagree, match=two.url),
    ):
        over(first, one, two).reference_block()


def test_a_sampled_read_must_agree_too(first: FaultyProxy, second: FaultyProxy) -> None:
    with FaultyProxy(answer("0x07")) as liar:
        client = over(first, second, liar)
        stamp = over(first).reference_block()
        assert client.agreed_call(stamp, TARGET, b"") == b""
        second.always("*", "500")
        with pytest.raises(EndpointsDisagree):
            client.agreed_call(stamp, TARGET, b"")


def test_what_no_endpoint_knows_is_none_and_each_was_asked(first: FaultyProxy, second: FaultyProxy) -> None:
    client = over(first, second)
    assert client.look_up("eth_getTransactionReceipt", ["0x" + "00" * 32], lambda found: found) is None
    assert (first.count("eth_getTransactionReceipt"), second.count("eth_getTransactionReceipt")) == (1, 1)


def test_no_fault_shows_the_key_in_the_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with FaultyProxy(lambda request: {"error": {"code": -32000, "message": "bad key sup3rs3cr3tk3y"}}) as proxy:
        client = ChainClient([f"{proxy.url}/v2/sup3rs3cr3tk3y"], 31_337, limits=LIMITS, sleep=Pauses())
        for fault in ("pass", *FAULTS):
            proxy.always("*", fault)
            with pytest.raises(EndpointUnavailable) as caught:
                client.head()
            assert "sup3rs3cr3tk3y" not in "".join(format_exception(caught.value))
        proxy.always("*", "413")
        with pytest.raises(CallTooLarge) as too_large:
            client.head()
        assert "sup3rs3cr3tk3y" not in "".join(format_exception(too_large.value))
    assert "sup3rs3cr3tk3y" not in caplog.text


@pytest.mark.parametrize("result", [{"number": "0x1"}, "0x", 7, {"number": None}, []])
def test_a_malformed_result_is_the_endpoints_fault(result: object, first: FaultyProxy) -> None:
    with FaultyProxy(answer(result)) as broken:
        assert isinstance(over(broken, first).head(), BlockStamp)
        assert over(broken, first).request("eth_blockNumber", [], quantity) >= 0


def answer(result: object) -> Responder:
    """Return a node of the right chain that gives this result to everything else."""
    return lambda request: {"result": "0x7a69" if request["method"] == "eth_chainId" else result}


def block_answer(*, timestamp: int = 1, block_hash: str = "0x01") -> Responder:
    """Return a node whose every block is number 0 with this time and hash."""
    return answer({"number": "0x0", "timestamp": hex(timestamp), "hash": block_hash, "parentHash": "0x00"})
