"""Sending: simulated first, settled from the chain, replaced when stuck, and never jammed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from eth_account import Account

from oracle.chain.abi import Interface, Reasons
from oracle.chain.client import ChainClient
from oracle.chain.devnet import Devnet, mine, set_automine
from oracle.chain.fees import FeeCaps, Fees, Urgency
from oracle.chain.submission import submit
from oracle.chain.transaction import Dropped, Mined, Pending, Replaced, SignedTransaction
from oracle.chain.transactor import SendingRules, Transactor
from oracle.errors import (
    CallReverted,
    InsufficientFunds,
    NonceTaken,
    TransactionUnknown,
    Underpriced,
)
from tests.faulty_proxy import FaultyProxy

pytestmark = pytest.mark.chain

GWEI = 10**9
RECEIVER = "0x" + "33" * 20
REFUSER = "0x" + "44" * 20
REFUSAL = Interface(
    "MarginOracle",
    [
        {
            "type": "error",
            "name": "SequenceNotIncreasing",
            "inputs": [{"name": "last", "type": "uint64"}, {"name": "offered", "type": "uint64"}],
        }
    ],
)
GENEROUS = FeeCaps(routine_wei=1_000 * GWEI, urgent_wei=2_000 * GWEI)


class Clock:
    """Time that passes only by sleeping; `then` happens once, at the first sleep past `at_seconds`."""

    def __init__(self) -> None:
        self.now_seconds = 0.0
        self.at_seconds = float("inf")
        self.then: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now_seconds

    def sleep(self, seconds: float) -> None:
        self.now_seconds += seconds
        if self.now_seconds >= self.at_seconds:
            self.at_seconds = float("inf")
            self.then()

    def at(self, seconds: float, then: Callable[[], object]) -> None:
        self.at_seconds, self.then = seconds, then


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def held() -> Iterator[Devnet]:
    """Return a chain of the test's own that mines only when told to."""
    with Devnet() as devnet:
        set_automine(devnet.client(), False)
        yield devnet


def sender_on(devnet: Devnet, clock: Clock, caps: FeeCaps = GENEROUS, client: ChainClient | None = None) -> Transactor:
    rules = SendingRules(caps=caps, stuck_after_seconds=30.0, deadline_seconds=120.0)
    client = client or devnet.client()
    return Transactor(client, devnet.accounts[0], rules, monotonic=clock.monotonic, sleep=clock.sleep)


def refuse_with(client: ChainClient, data: bytes) -> None:
    """Put code at REFUSER that reverts with these bytes (PUSH, CODECOPY, REVERT)."""
    code = bytes.fromhex(f"60{len(data):02x}600c60003960{len(data):02x}6000fd") + data
    client.request("anvil_setCode", [REFUSER, "0x" + code.hex()], lambda result: result)


def test_a_transfer_goes_from_preparation_to_receipt(deployer: Transactor, client: ChainClient) -> None:
    signed = deployer.prepare(RECEIVER, b"", value_wei=7)
    assert isinstance(deployer.settle(signed.hash, signed.nonce), Dropped)
    deployer.send(signed)
    receipt = deployer.wait(signed)
    assert receipt.succeeded
    assert receipt.transaction_hash == signed.hash
    assert client.balance_wei(client.block_by_number(receipt.block_number), RECEIVER) == 7
    assert deployer.next_nonce() == signed.nonce + 1


def test_the_journals_bytes_are_enough_to_go_on(deployer: Transactor) -> None:
    signed = deployer.prepare(RECEIVER, b"\x01\x02", value_wei=7)
    assert SignedTransaction.from_raw(signed.raw) == signed
    creation = deployer.prepare(None, bytes.fromhex("60006000f3"))
    assert SignedTransaction.from_raw(creation.raw) == creation
    with pytest.raises(ValueError, match="not an EIP-1559"):
        SignedTransaction.from_raw(b"\xf8\x00")


def test_what_would_revert_is_refused_by_name_and_never_sent(deployer: Transactor, client: ChainClient) -> None:
    error = next(iter(REFUSAL.errors)) + (3).to_bytes(32) + (3).to_bytes(32)
    refuse_with(client, error)
    with pytest.raises(CallReverted, match=r"MarginOracle\.SequenceNotIncreasing\(last=3, offered=3\)"):
        deployer.prepare(REFUSER, b"", reasons=Reasons(REFUSAL))
    with pytest.raises(CallReverted, match=f"unknown error 0x{error.hex()}"):
        deployer.prepare(REFUSER, b"")
    assert len(deployer.nonces_in_flight()) == 0


def test_sending_twice_is_harmless_before_and_after_mining(held: Devnet, clock: Clock) -> None:
    sender = sender_on(held, clock)
    signed = sender.prepare(RECEIVER, b"", value_wei=7)
    sender.send(signed)
    sender.send(signed)
    assert isinstance(sender.settle(signed.hash, signed.nonce), Pending)
    mine(sender.client)
    sender.send(signed)
    assert isinstance(sender.settle(signed.hash, signed.nonce), Mined)


def test_an_answer_lost_after_sending_does_not_send_another(held: Devnet, clock: Clock) -> None:
    with FaultyProxy(held.url) as proxy:
        client = ChainClient([proxy.url], held.chain_id, maximum_head_age_seconds=None, sleep=clock.sleep)
        sender = sender_on(held, clock, client=client)
        signed = sender.prepare(RECEIVER, b"", value_wei=7)
        proxy.script("eth_sendRawTransaction", "truncated")
        sender.send(signed)
        assert proxy.count("eth_sendRawTransaction") == 2
    assert sender_on(held, clock).nonces_in_flight() == range(signed.nonce, signed.nonce + 1)


def test_no_receipt_in_time_means_unknown(held: Devnet, clock: Clock) -> None:
    sender = sender_on(held, clock)
    signed = sender.prepare(RECEIVER, b"", value_wei=7)
    sender.send(signed)
    with pytest.raises(TransactionUnknown, match=f"0x{signed.hash.hex()} within 120 s"):
        sender.wait(signed)
    assert clock.now_seconds == pytest.approx(120.0)
    mine(sender.client)
    assert sender.wait(signed).succeeded


def test_a_node_that_falls_silent_while_waiting_means_unknown(held: Devnet, clock: Clock) -> None:
    with FaultyProxy(held.url) as proxy:
        client = ChainClient([proxy.url], held.chain_id, maximum_head_age_seconds=None, sleep=lambda seconds: None)
        sender = sender_on(held, clock, client=client)
        signed = sender.prepare(RECEIVER, b"", value_wei=7)
        sender.send(signed)
        proxy.always("*", "500")
        with pytest.raises(TransactionUnknown):
            sender.wait(signed, timeout_seconds=3.0)


def test_a_stuck_transaction_is_replaced_and_either_may_be_mined(held: Devnet, clock: Clock) -> None:
    sender = sender_on(held, clock)
    clock.at(70.0, lambda: mine(sender.client))
    receipt = submit(sender, RECEIVER, b"", value_wei=7)
    assert receipt.succeeded
    assert sender.client.balance_wei(sender.client.head(), RECEIVER) == 7
    assert sender.next_nonce() == 1
    assert clock.now_seconds == pytest.approx(70.0)


def test_the_replacement_takes_the_place_of_the_stuck_one(held: Devnet, clock: Clock) -> None:
    sender = sender_on(held, clock)
    stuck = sender.prepare(RECEIVER, b"", value_wei=7)
    sender.send(stuck)
    replacement = sender.replace(stuck)
    assert (replacement.nonce, replacement.action) == (stuck.nonce, stuck.action)
    sender.send(replacement)
    mine(sender.client)
    assert isinstance(sender.settle(replacement.hash, replacement.nonce), Mined)
    assert isinstance(sender.settle(stuck.hash, stuck.nonce), Replaced)
    assert sender.wait(stuck, replacement).transaction_hash == replacement.hash
    with pytest.raises(NonceTaken):
        sender.wait(stuck)
    with pytest.raises(NonceTaken):
        sender.send(stuck)


def test_a_receipt_that_shows_late_is_not_a_replacement(held: Devnet, clock: Clock) -> None:
    """A node counts a mined transaction a moment before it shows the receipt (seen on Anvil)."""
    with FaultyProxy(held.url) as proxy:
        client = ChainClient([proxy.url], held.chain_id, maximum_head_age_seconds=None)
        sender = sender_on(held, clock, client=client)
        signed = sender.prepare(RECEIVER, b"", value_wei=7)
        sender.send(signed)
        mine(client)
        proxy.script("eth_getTransactionReceipt", "null")
        assert isinstance(sender.settle(signed.hash, signed.nonce), Pending)
        assert isinstance(sender.settle(signed.hash, signed.nonce), Mined)


def test_the_nonce_is_freed_in_spite_of_the_cap(held: Devnet, clock: Clock) -> None:
    sender = sender_on(held, clock, FeeCaps(routine_wei=3 * GWEI, urgent_wei=100 * GWEI))
    stuck = sender.prepare(RECEIVER, b"", value_wei=7)
    assert stuck.fees.max_fee_wei == 3 * GWEI
    sender.send(stuck)
    freeing = sender.replace(stuck)
    assert freeing.action.to == sender.address
    assert freeing.action.value_wei == 0
    assert freeing.fees.max_fee_wei > 3 * GWEI
    assert sender.replace(stuck, urgency=Urgency.URGENT).action == stuck.action
    sender.send(freeing)
    mine(sender.client)
    assert isinstance(sender.settle(freeing.hash, freeing.nonce), Mined)
    assert sender.client.balance_wei(sender.client.head(), RECEIVER) == 0
    assert sender.next_nonce() == stuck.nonce + 1


def test_submitting_says_when_the_nonce_had_to_be_freed(held: Devnet, clock: Clock) -> None:
    sender = sender_on(held, clock, FeeCaps(routine_wei=3 * GWEI, urgent_wei=100 * GWEI))
    clock.at(40.0, lambda: mine(sender.client))
    with pytest.raises(Underpriced, match="nonce 0 was freed"):
        submit(sender, RECEIVER, b"", value_wei=7)


def test_a_foreign_transaction_that_jams_the_nonce_is_outbid(held: Devnet, clock: Clock) -> None:
    sender = sender_on(held, clock)
    sender.send(sender.prepare(RECEIVER, b"", value_wei=7))
    assert sender.nonces_in_flight() == range(0, 1)
    with pytest.raises(Underpriced):
        sender.send(sender.free_nonce(0, Fees(1, 1)))
    sender.send(sender.free_nonce(0, Fees(500 * GWEI, 500 * GWEI)))


def test_a_base_fee_above_the_cap_is_not_sent_to_get_stuck(held: Devnet, clock: Clock) -> None:
    sender = sender_on(held, clock, FeeCaps(routine_wei=5, urgent_wei=100 * GWEI))
    with pytest.raises(Underpriced, match="above the routine cap of 5 wei"):
        sender.prepare(RECEIVER, b"", value_wei=7)
    assert sender.prepare(RECEIVER, b"", value_wei=7, urgency=Urgency.URGENT).fees.max_fee_wei <= 100 * GWEI


def test_an_empty_wallet_is_told_from_a_low_fee(held: Devnet, clock: Clock) -> None:
    pauper = Transactor(held.client(), Account.create(), SendingRules(), monotonic=clock.monotonic, sleep=clock.sleep)
    with pytest.raises(InsufficientFunds, match="fund the sending account"):
        pauper.prepare(RECEIVER, b"", value_wei=1)


def test_a_transaction_that_no_node_knows_any_more_is_dropped(held: Devnet, clock: Clock) -> None:
    sender = sender_on(held, clock)
    signed = sender.prepare(RECEIVER, b"", value_wei=7)
    sender.send(signed)
    sender.client.request("anvil_dropTransaction", ["0x" + signed.hash.hex()], lambda result: result)
    assert isinstance(sender.settle(signed.hash, signed.nonce), Dropped)
    sender.send(signed)
    assert isinstance(sender.settle(signed.hash, signed.nonce), Pending)
