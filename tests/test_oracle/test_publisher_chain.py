"""Publishing to the real contract: refusals, restarts at every point, stuck and lost transactions, failing disks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from oracle.chain.client import ChainClient
from oracle.chain.devnet import Devnet, mine, mine_at, revert_to_snapshot, set_automine, take_snapshot
from oracle.chain.fees import Urgency
from oracle.chain.submission import submit
from oracle.chain.transaction import Receipt, SignedTransaction
from oracle.chain.transactor import SendingRules, Transactor
from oracle.errors import BadData, NonceTaken, Refused, StorageFailure, TransactionUnknown
from oracle.journal import Journal, TransactionRow, TransactionState
from oracle.packing import pack
from oracle.publisher import Posting, Publisher
from oracle.report import details_hash, digest
from oracle.types import MarginReport
from tests.posting_cases import margin, valuation
from tests.posting_chain import PostingChain, deploy_posting_chain

pytestmark = pytest.mark.chain

DETAILS = valuation(0).details
MINED, FAILED, REPLACED = TransactionState.MINED, TransactionState.FAILED, TransactionState.REPLACED


def let_time_pass(client: ChainClient) -> None:
    mine(client)


class Crash(BaseException):
    """The process dies here; nothing in the product catches it."""


class WatchedTransactor(Transactor):
    """A transactor that calls back around sending and waiting."""

    before_send: Callable[[], None] = staticmethod(lambda: None)
    after_send: Callable[[], None] = staticmethod(lambda: None)
    before_wait: Callable[[], None] = staticmethod(lambda: None)

    def send(self, signed: SignedTransaction) -> None:
        self.before_send()
        super().send(signed)
        self.after_send()

    def wait(self, *sent: SignedTransaction, timeout_seconds: float | None = None) -> Receipt:
        self.before_wait()
        return super().wait(*sent, timeout_seconds=timeout_seconds)


class CrashingJournal(Journal):
    """A journal whose process dies before a certain state is written."""

    dies_before: TransactionState | None = None

    def record_transaction(self, row: TransactionRow) -> None:
        if self.dies_before is row.state:
            raise Crash
        super().record_transaction(row)

    def change_transaction(self, transaction_hash: bytes, state: TransactionState, *rest: Any, **named: Any) -> None:
        if self.dies_before is state:
            raise Crash
        super().change_transaction(transaction_hash, state, *rest, **named)


@dataclass
class Keeper:
    """The publisher of one process over the journal of all its runs; the pool is mined while it sleeps."""

    chain: PostingChain
    account: LocalAccount
    path: Path
    waits: bool = True

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin as a new process would, with nothing but the file."""
        client = self.chain.oracle.client
        self.journal = CrashingJournal(self.path)
        self.transactor = WatchedTransactor(
            client, self.account, SendingRules(poll_seconds=0.0), sleep=lambda _: let_time_pass(client)
        )
        self.publisher = Publisher(
            self.transactor, self.chain.oracle, self.journal, receipt_timeout_seconds=60.0 if self.waits else 0.0
        )

    def publish(self, report: MarginReport, signatures: int = 2, **changes: Any) -> Posting:
        return self.publisher.publish(
            report,
            self.chain.signer_set,
            self.chain.sign(report, signatures),
            changes.pop("details", DETAILS),
            **changes,
        )

    def states(self) -> list[TransactionState]:
        return [row.state for row in self.journal.transactions()]

    def posts(self) -> list[int]:
        """Return the sequences that the contract announced."""
        events = self.chain.oracle.events("ReportPosted", 0, self.chain.head().number)
        return [event.values["sequence"] for event in events]


@pytest.fixture(scope="module")
def deployed(session_deployer: Transactor) -> Iterator[PostingChain]:
    snapshot = take_snapshot(session_deployer.client)
    yield deploy_posting_chain(session_deployer)
    revert_to_snapshot(session_deployer.client, snapshot)


@pytest.fixture
def chain(deployed: PostingChain) -> Iterator[PostingChain]:
    client = deployed.oracle.client
    snapshot = take_snapshot(client)
    yield deployed
    # What is left in the pool would be mined while the chain goes back.
    client.request("anvil_dropAllTransactions", [], lambda result: result)
    set_automine(client, True)
    revert_to_snapshot(client, snapshot)


@pytest.fixture
def keeper(chain: PostingChain, anvil: Devnet, tmp_path: Path) -> Keeper:
    return Keeper(chain, anvil.accounts[1], tmp_path / "journal.sqlite")


@pytest.fixture
def report(chain: PostingChain) -> MarginReport:
    return chain.report(margin(1), margin(2))


def set_block_gas_limit(client: ChainClient, limit: str) -> None:
    client.request("evm_setBlockGasLimit", [limit], lambda result: result)


# ---------------------------------------------------------------------- the straight way


def test_a_report_is_posted_journalled_and_settled(keeper: Keeper, report: MarginReport) -> None:
    posting = keeper.publish(report)
    assert (posting.sequence, posting.state, posting.refused_market_ids) == (1, MINED, ())
    assert posting.gas_used is not None
    assert 50_000 < posting.gas_used < 250_000
    assert keeper.posts() == [1]
    (row,) = keeper.journal.transactions()
    assert (row.state, row.block_number, row.gas_used) == (MINED, posting.block_number, posting.gas_used)
    (written,) = keeper.journal.reports(1)
    assert written.digest == digest(report, keeper.chain.domain)
    assert written.packed == pack(report, keeper.chain.signer_set, keeper.chain.sign(report))
    assert written.details == '{"assumptions":["simulated"],"seed":5}'
    assert keeper.publisher.settle_open() == ()


def test_reports_follow_each_other(keeper: Keeper) -> None:
    for sequence in (1, 2, 3):
        assert keeper.publish(keeper.chain.report(margin(1))).sequence == sequence
    assert keeper.posts() == [1, 2, 3]


def test_incident_i9_signed_bytes_are_simulated_bytes(
    keeper: Keeper, report: MarginReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, seen = keeper.chain.oracle.client, []
    ask = client.request

    def recording(method: str, params: list[Any], parse: Callable[[Any], Any]) -> Any:
        seen.append((method, params))
        return ask(method, params, parse)

    monkeypatch.setattr(client, "request", recording)
    keeper.publish(report)
    simulated = [bytes.fromhex(params[0]["data"][2:]) for method, params in seen if method == "eth_call"]
    sent = [bytes.fromhex(params[0][2:]) for method, params in seen if method == "eth_sendRawTransaction"]
    packed = pack(report, keeper.chain.signer_set, keeper.chain.sign(report))
    expected = keeper.chain.oracle.interface.encode("post", packed)
    assert [SignedTransaction.from_raw(raw).action.data for raw in sent] == [expected]
    assert expected in simulated
    order = [method for method, _ in seen]
    assert order.index("eth_call") < order.index("eth_sendRawTransaction")


def test_markets_that_the_contract_refused_are_named(keeper: Keeper) -> None:
    posting = keeper.publish(keeper.chain.report(margin(1), margin(2, initial=900_001), margin(9)))
    assert posting.state is MINED
    assert posting.refused_market_ids == (2, 9)


# ---------------------------------------------------------------------- refusals: nothing is sent


def assert_nothing_sent(keeper: Keeper) -> None:
    assert keeper.states() == []
    assert keeper.transactor.next_nonce() == 0
    assert keeper.posts() == []


def test_a_refusal_of_the_contract_comes_decoded(keeper: Keeper, report: MarginReport) -> None:
    with pytest.raises(Refused, match=r"MarginOracle.NotEnoughSignatures\(needed=2, actual=1\)"):
        keeper.publish(report, signatures=1)
    assert_nothing_sent(keeper)


def test_an_expired_report_is_not_sent(keeper: Keeper, report: MarginReport) -> None:
    mine_at(keeper.chain.oracle.client, report.valid_until + 1)
    with pytest.raises(Refused, match=r"Expired\(validUntil="):
        keeper.publish(report)
    assert_nothing_sent(keeper)


def test_a_sequence_is_not_sent_twice(keeper: Keeper, report: MarginReport) -> None:
    keeper.publish(report)
    with pytest.raises(Refused, match=r"SequenceNotIncreasing\(last=1, offered=1\)"):
        keeper.publish(report)
    assert keeper.states() == [MINED]


def test_details_of_another_report_are_not_kept_with_this_one(keeper: Keeper, report: MarginReport) -> None:
    with pytest.raises(BadData, match="not those of the report's details hash"):
        keeper.publish(report, details={**DETAILS, "seed": 6})
    assert_nothing_sent(keeper)


def test_nothing_is_sent_when_the_disk_is_full(keeper: Keeper, report: MarginReport) -> None:
    with keeper.journal._engine.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    large = {**DETAILS, "note": "x" * 100_000}
    with pytest.raises(StorageFailure, match="disk is full"):
        keeper.publish(replace(report, details_hash=details_hash(large)), details=large)
    assert_nothing_sent(keeper)


# ---------------------------------------------------------------------- restarts


def die() -> None:
    raise Crash


def at_transactor(name: str) -> Callable[[Keeper], None]:
    return lambda keeper: setattr(keeper.transactor, name, die)


def at_journal(state: TransactionState) -> Callable[[Keeper], None]:
    return lambda keeper: setattr(keeper.journal, "dies_before", state)


CRASH_POINTS = {
    "before the row": at_journal(TransactionState.INTENDED),
    "between row and send": at_transactor("before_send"),
    "between send and its mark": at_transactor("after_send"),
    "before the mark is written": at_journal(TransactionState.SENT),
    "between send and receipt": at_transactor("before_wait"),
    "between receipt and its row": at_journal(TransactionState.MINED),
}


@pytest.mark.parametrize("automine", [True, False], ids=["mined at once", "mined later"])
@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_restart_at_any_point_leads_to_the_same_end(
    keeper: Keeper, report: MarginReport, point: str, automine: bool
) -> None:
    set_automine(keeper.chain.oracle.client, automine)
    CRASH_POINTS[point](keeper)
    with pytest.raises(Crash):
        keeper.publish(report)
    keeper.restart()
    settled = keeper.publisher.settle_open()
    if keeper.chain.last_sequence() == 0:
        assert settled == (), "only a crash before the row leaves nothing behind"
        keeper.publish(report)
    assert keeper.posts() == [1]
    assert keeper.states() == [MINED]
    assert keeper.transactor.next_nonce() == 1
    assert keeper.journal.open_transactions() == ()
    assert keeper.publisher.settle_open() == ()


def test_what_was_never_sent_is_given_up_when_its_time_is_over(keeper: Keeper, report: MarginReport) -> None:
    keeper.transactor.before_send = die
    with pytest.raises(Crash):
        keeper.publish(report)
    mine_at(keeper.chain.oracle.client, report.valid_until + 1)
    keeper.restart()
    (posting,) = keeper.publisher.settle_open()
    assert posting.state is FAILED
    assert keeper.posts() == []
    assert keeper.publish(keeper.chain.report(margin(1))).sequence == 1, "the number is free for a later report"


# ---------------------------------------------------------------------- unknown, stuck, replaced


@pytest.fixture
def stuck(keeper: Keeper, report: MarginReport) -> Keeper:
    """Return a keeper whose post is in the pool without a receipt."""
    set_automine(keeper.chain.oracle.client, False)
    keeper.waits = False
    keeper.restart()
    with pytest.raises(TransactionUnknown, match="no receipt of 0x"):
        keeper.publish(report)
    keeper.waits = True
    keeper.restart()
    assert keeper.states() == [TransactionState.UNKNOWN]
    return keeper


def test_without_a_receipt_nothing_more_is_sent(stuck: Keeper, report: MarginReport) -> None:
    with pytest.raises(TransactionUnknown, match="an earlier transaction is not settled"):
        stuck.publish(report)
    assert stuck.states() == [TransactionState.UNKNOWN]


def test_a_receipt_that_came_late_is_found(stuck: Keeper) -> None:
    stuck.chain.mine()
    (posting,) = stuck.publisher.settle_open()
    assert (posting.state, posting.sequence) == (MINED, 1)


def test_a_stuck_post_is_replaced_at_higher_fees(stuck: Keeper) -> None:
    first, second = stuck.publisher.settle_open()
    assert (first.state, second.state) == (REPLACED, MINED)
    assert stuck.posts() == [1]
    rows = stuck.journal.transactions()
    before, after = (SignedTransaction.from_raw(row.raw) for row in rows)
    assert before.nonce == after.nonce
    assert before.action == after.action
    assert 8 * after.fees.max_fee_wei >= 9 * before.fees.max_fee_wei
    assert 8 * after.fees.priority_fee_wei >= 9 * before.fees.priority_fee_wei


def test_a_post_that_the_pool_lost_is_sent_again(stuck: Keeper) -> None:
    client = stuck.chain.oracle.client
    (row,) = stuck.journal.transactions()
    client.request("anvil_dropTransaction", ["0x" + row.transaction_hash.hex()], lambda result: result)
    assert stuck.publisher.settle_open()[-1].state is MINED
    assert stuck.posts() == [1]


def test_a_stuck_post_that_came_too_late_frees_its_nonce(stuck: Keeper, report: MarginReport) -> None:
    """Somebody else posts the sequence in a block that has no room for ours."""
    client, owner = stuck.chain.oracle.client, stuck.chain.owner
    ours = SignedTransaction.from_raw(stuck.journal.transactions()[0].raw)
    theirs = owner._sign(
        owner.next_nonce(), replace(ours.fees, max_fee_wei=2 * ours.fees.max_fee_wei), ours.gas, ours.action
    )
    owner.send(theirs)
    room = client.request("eth_getBlockByNumber", ["latest", False], lambda block: block["gasLimit"])
    set_block_gas_limit(client, hex(ours.gas + 1_000))
    mine(client)
    set_block_gas_limit(client, room)
    assert stuck.transactor.next_nonce() == 0
    assert stuck.posts() == [report.sequence]
    first, freeing = stuck.publisher.settle_open()
    assert (first.state, first.frees_nonce) == (REPLACED, False)
    assert (freeing.state, freeing.frees_nonce) == (MINED, True)
    assert stuck.transactor.next_nonce() == 1
    assert stuck.posts() == [report.sequence]


def test_a_replacement_keeps_the_urgency_of_what_it_replaces(keeper: Keeper, report: MarginReport) -> None:
    keeper.publish(report, urgency=Urgency.URGENT)
    assert [row.urgent for row in keeper.journal.transactions()] == [True]


# ---------------------------------------------------------------------- races


def test_losing_the_race_is_a_refusal_and_recorded(keeper: Keeper, report: MarginReport) -> None:
    chain = keeper.chain
    packed = pack(report, chain.signer_set, chain.sign(report, 3))

    def somebody_else_posts() -> None:
        submit(chain.owner, chain.oracle.address, chain.oracle.interface.encode("post", packed))

    keeper.transactor.before_send = somebody_else_posts
    with pytest.raises(Refused, match="of sequence 1 reverted in block"):
        keeper.publish(report)
    assert keeper.states() == [FAILED]
    assert keeper.posts() == [1]


def test_a_nonce_lost_to_another_use_of_the_key_is_recorded(keeper: Keeper, report: MarginReport) -> None:
    elsewhere = Transactor(keeper.chain.oracle.client, keeper.account)

    def use_the_key_elsewhere() -> None:
        submit(elsewhere, keeper.account.address, b"")

    keeper.transactor.before_send = use_the_key_elsewhere
    with pytest.raises(NonceTaken, match="lost its nonce"):
        keeper.publish(report)
    assert keeper.states() == [REPLACED]
    keeper.restart()
    assert keeper.publish(report).state is MINED
