"""What is computed off chain against the contract that judges it: digests, proofs, packed bytes, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from oracle.bounds import MarketRefusal, Refusal, limit_to_step, refusals
from oracle.chain.devnet import mine_at, revert_to_snapshot, take_snapshot
from oracle.chain.submission import execute
from oracle.chain.transactor import Transactor
from oracle.config import PolicySettings
from oracle.dwell import settle
from oracle.errors import CallReverted
from oracle.packing import pack
from oracle.policy import decide
from oracle.report import accounts_of, build, digest
from oracle.types import Hold, MarginReport, MarketMargin, SignerSet
from tests.posting_cases import any_reports, margin, tuples_near, valuation
from tests.posting_chain import PostingChain, deploy_posting_chain, report_as_tuple

pytestmark = pytest.mark.chain

FIFTY = settings(
    max_examples=50,
    deadline=None,
    # Shrinking asks a node hundreds of times more; the first failing example is small enough to read.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def deployed(session_deployer: Transactor) -> Iterator[PostingChain]:
    """Return one oracle for the module; tests that change it take `chain`."""
    snapshot = take_snapshot(session_deployer.client)
    yield deploy_posting_chain(session_deployer)
    revert_to_snapshot(session_deployer.client, snapshot)


@pytest.fixture
def chain(deployed: PostingChain) -> Iterator[PostingChain]:
    snapshot = take_snapshot(deployed.oracle.client)
    yield deployed
    revert_to_snapshot(deployed.oracle.client, snapshot)


def post(chain: PostingChain, report: MarginReport, signatures: int = 2) -> None:
    execute(chain.owner, chain.oracle, "post", pack(report, chain.signer_set, chain.sign(report, signatures)))


@FIFTY
@given(subject=any_reports())
def test_digest_equals_that_of_the_contract(deployed: PostingChain, subject: MarginReport) -> None:
    assert deployed.call("hashReport", report_as_tuple(subject)) == digest(subject, deployed.domain)


def test_the_epoch_and_hash_of_the_signer_set_are_those_of_the_contract(deployed: PostingChain) -> None:
    assert deployed.call("signerSetEpoch") == deployed.signer_set.epoch == 1


def test_a_signed_report_is_accepted_and_read_back(chain: PostingChain) -> None:
    report = chain.report(margin(1), margin(3, initial=200_000), accounts=2)
    packed = pack(report, chain.signer_set, chain.sign(report))
    previewed, refused = chain.call("preview", packed)
    assert (previewed, refused) == (digest(report, chain.domain), 0)
    post(chain, report)
    state = chain.state(chain.head())
    assert (state.last_sequence, state.last_reference_block) == (1, report.reference_block)
    assert [market.margin for market in state.markets] == [
        margin(1),
        MarketMargin(2, 0, 0, 0, 0, 0, 0),
        margin(3, initial=200_000),
    ]
    assert [market.reference_timestamp for market in state.markets] == [
        report.reference_timestamp,
        0,
        report.reference_timestamp,
    ]


@pytest.mark.parametrize("accounts", [1, 2, 3, 6, 13])
def test_every_proof_is_accepted_and_no_other(chain: PostingChain, accounts: int) -> None:
    snapshot = chain.snapshot(chain.next_block(), accounts)
    chain.mine()
    report = build(snapshot, valuation(accounts, margin(1)), 1_800)
    tree = accounts_of(snapshot, valuation(accounts, margin(1)))
    post(chain, report)
    root, block, _ = chain.call("latestAccounts")
    assert (root, block) == (tree.root, snapshot.stamp.number)
    for account in range(accounts):
        leaf = tree.leaf(account)
        chain.call("verifyAccount", astuple(leaf), tree.proof(account), False)
        cheaper = replace(leaf, initial_wad=leaf.initial_wad - 1)
        with pytest.raises(CallReverted, match="InvalidProof"):
            chain.call("verifyAccount", astuple(cheaper), tree.proof(account), False)


def test_an_empty_book_leaves_no_root_to_prove_against(chain: PostingChain) -> None:
    post(chain, chain.report(margin(1)))
    assert chain.call("accountsStale") is True


@FIFTY
@given(subject=any_reports(most_markets=4), count=st.integers(0, 3))
def test_packed_bytes_are_read_as_they_were_meant(deployed: PostingChain, subject: MarginReport, count: int) -> None:
    """The contract gets past its codec, whatever the values: it objects to what the report says, not to its form."""
    signer_set = SignerSet(subject.signer_set_epoch, 2, 3, deployed.signer_set.signers)
    packed = pack(subject, signer_set, deployed.sign(subject, count))
    with pytest.raises(CallReverted) as caught:
        deployed.call("preview", packed)
    assert "CalldataLength" not in str(caught.value)
    assert "NonCanonical" not in str(caught.value)


@FIFTY
@given(data=st.data())
def test_the_refusals_foretold_are_those_of_the_contract(deployed: PostingChain, data: st.DataObject) -> None:
    client = deployed.oracle.client
    before = take_snapshot(client)
    try:
        first = [data.draw(tuples_near(market_id, 250_000)) for market_id in (1, 2)]
        report = deployed.report(*first)
        foretold = refusals(deployed.state(deployed.head()), report)
        assert _refused_by_contract(deployed, report) == foretold
        mine_at(client, deployed.head().timestamp + data.draw(st.integers(1, 20_000)))
        second = [data.draw(tuples_near(market_id, 400_000)) for market_id in (1, 2, 3, 9)]
        report = deployed.report(*second, exceeds_step=data.draw(st.booleans()))
        state = deployed.state(deployed.head())
        assert refusals(state, report) == _refused_by_contract(deployed, report)
    finally:
        revert_to_snapshot(client, before)


@settings(FIFTY, max_examples=20)
@given(data=st.data())
def test_the_market_foretold_is_that_of_the_contract(deployed: PostingChain, data: st.DataObject) -> None:
    """Five reports one upon the other: what is in force, what waits until when, what is remembered of rises."""
    client = deployed.oracle.client
    before = take_snapshot(client)
    try:
        post(deployed, deployed.report(margin(1)))
        for _ in range(5):
            mine_at(client, deployed.head().timestamp + data.draw(st.sampled_from([1, 1, 5, 30, 900, 1_800, 70_000])))
            held = deployed.state(deployed.head()).markets[0].margin
            moved = MarketMargin(1, *(value + data.draw(st.sampled_from([-900, 0, 0, 40])) for value in held.values()))
            report = deployed.report(moved, exceeds_step=data.draw(st.integers(0, 4)) == 0)
            state = deployed.state(deployed.head())
            foretold = refusals(state, report)
            assert _refused_by_contract(deployed, report) == foretold
            head = deployed.head()
            expected = state.markets[0]
            if not foretold:
                expected = settle(expected, state.timing, report, moved, head.timestamp)
            assert deployed.state(head).markets[0] == expected
    finally:
        revert_to_snapshot(client, before)


@FIFTY
@given(data=st.data())
def test_what_the_policy_publishes_is_accepted(deployed: PostingChain, data: st.DataObject) -> None:
    client = deployed.oracle.client
    before = take_snapshot(client)
    try:
        post(deployed, deployed.report(margin(1), margin(2)))
        mine_at(client, deployed.head().timestamp + data.draw(st.integers(1, 20_000)))
        target = deployed.report(*(data.draw(tuples_near(market_id, 300_000)) for market_id in (1, 2, 3)))
        state = deployed.state(deployed.head())
        decision = decide(state, target, PolicySettings())
        if isinstance(decision, Hold):
            return
        for report in {decision.report, limit_to_step(target, state)}:
            packed = pack(report, deployed.signer_set, deployed.sign(report, 3 if report.exceeds_step else 2))
            _, refused = deployed.call("preview", packed)
            assert refused == len(refusals(state, report))
    finally:
        revert_to_snapshot(client, before)


def _refused_by_contract(chain: PostingChain, report: MarginReport) -> tuple[MarketRefusal, ...]:
    """Post, and return the contract's refusals in the form of those foretold."""
    packed = pack(report, chain.signer_set, chain.sign(report, 3 if report.exceeds_step else 2))
    receipt = execute(chain.owner, chain.oracle, "post", packed)
    events = [chain.oracle.interface.decode_event(log) for log in receipt.logs]
    return tuple(
        MarketRefusal(
            event.values["marketId"],
            Refusal(event.values["reason"]),
            event.values["inForce"],
            event.values["offered"],
        )
        for event in events
        if event is not None and event.name == "MarketRefused"
    )


# ---------------------------------------------------------------------- what the contract refuses whole


def test_too_few_signatures_for_a_rise_beyond_the_step_are_refused(chain: PostingChain) -> None:
    report = chain.report(margin(1), exceeds_step=True)
    packed = pack(report, chain.signer_set, chain.sign(report, 2))
    with pytest.raises(CallReverted, match=r"NotEnoughSignatures\(needed=3, actual=2\)"):
        chain.call("preview", packed)


def test_a_signature_for_another_contract_is_refused(chain: PostingChain) -> None:
    report = chain.report(margin(1))
    other = replace(chain, oracle=deploy_posting_chain(chain.owner).oracle)
    packed = pack(report, chain.signer_set, other.sign(report))
    with pytest.raises(CallReverted, match="InvalidSignature"):
        chain.call("preview", packed)


def test_incident_i12_bytes_that_were_touched_are_refused(chain: PostingChain) -> None:
    report = chain.report(margin(1))
    packed = pack(report, chain.signer_set, chain.sign(report))
    for index in (0, 11, 60, 168, 172, 199, len(packed) - 1):
        touched = bytearray(packed)
        touched[index] ^= 1
        with pytest.raises(CallReverted):
            chain.call("preview", bytes(touched))
    with pytest.raises(CallReverted, match="InvalidCalldataLength"):
        chain.call("preview", packed + b"\x00")
