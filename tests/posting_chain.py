"""A MarginOracle on the test chain with three signers and three markets, and what tests need to post to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from eth_keys.datatypes import PrivateKey

from oracle.chain.contract import Contract, load_artefact
from oracle.chain.deployment import NO_SEQUENCER
from oracle.chain.devnet import mine, mine_at
from oracle.chain.submission import deploy, execute
from oracle.chain.transactor import Transactor
from oracle.readers.oracle_state import read_oracle_state
from oracle.report import Domain, build, digest
from oracle.signer import compact
from oracle.types import BlockStamp, MarginReport, MarketMargin, OracleState, Signature, SignerSet, Snapshot, Timing
from tests.posting_cases import (
    HEARTBEAT_SECONDS,
    INITIAL_BOUNDS,
    MAINTENANCE_BOUNDS,
    SIGNER_ACCOUNTS,
    SIGNER_SET,
    SLOPE_BOUNDS,
    book,
    margin,
    valuation,
)

MARKET_IDS = (1, 2, 3)
_FALLBACK_PPM = 200_000
_EVM = 0
TIMING = Timing(HEARTBEAT_SECONDS, dwell_seconds=1_800, minimum_delay_seconds=60)
OWNER_DELAY_SECONDS = 172_800


@dataclass(frozen=True)
class PostingChain:
    """A deployed oracle with its owner, who is its guardian and pays for posts."""

    oracle: Contract
    owner: Transactor

    @property
    def domain(self) -> Domain:
        """The domain of the deployed contract."""
        return Domain(self.oracle.client.chain_id, self.oracle.address)

    @property
    def signer_set(self) -> SignerSet:
        """The contract's set."""
        return SIGNER_SET

    def head(self) -> BlockStamp:
        """Return the head."""
        return self.oracle.client.head()

    def next_block(self, seconds: int = 12) -> BlockStamp:
        """Mine a block so many seconds after the head, so that the next report has a new reference block."""
        return mine_at(self.oracle.client, self.head().timestamp + seconds)

    def mine(self) -> BlockStamp:
        """Mine the pool."""
        return mine(self.oracle.client)

    def state(self, stamp: BlockStamp) -> OracleState:
        """Return the contract at a block."""
        return read_oracle_state(self.oracle.client, self.oracle.address, MARKET_IDS, stamp)

    def snapshot(self, stamp: BlockStamp, accounts: int = 0) -> Snapshot:
        """Return a snapshot of the real contract with a made-up book."""
        return Snapshot(self.oracle.client.chain_id, stamp, self.state(stamp), (), (), (), (), book(accounts))

    def report(
        self, *markets: MarketMargin, accounts: int = 0, exceeds_step: bool = False, valid_for_seconds: int = 1_800
    ) -> MarginReport:
        """Return the report that follows the contract's last one, at a new block; the head is the block after."""
        snapshot = self.snapshot(self.next_block(), accounts)
        self.mine()
        return build(snapshot, valuation(accounts, *(markets or (margin(1),))), valid_for_seconds, exceeds_step)

    def sign(self, report: MarginReport, count: int = 2) -> tuple[Signature, ...]:
        """Return signatures of the first so many keys, without the look that a signer takes at what it signs."""
        message = digest(report, self.domain)
        return tuple(
            compact(account.address, PrivateKey(bytes(account.key)).sign_msg_hash(message))
            for account in SIGNER_ACCOUNTS[:count]
        )

    def call(self, function: str, *arguments: object) -> Any:
        """Return a function's result at the head."""
        return self.oracle.call(self.head(), function, *arguments)

    def last_sequence(self) -> int:
        """Return the contract's last sequence."""
        return int(self.call("lastSequence"))


def deploy_posting_chain(owner: Transactor, market_ids: Sequence[int] = MARKET_IDS) -> PostingChain:
    """Deploy and configure; every market has the bounds of `posting_cases`."""
    setup = (owner.address, owner.address, _EVM, astuple(TIMING), OWNER_DELAY_SECONDS, *NO_SEQUENCER)
    oracle = deploy(owner, load_artefact("MarginOracle"), setup)
    execute(owner, oracle, "setSigners", (SIGNER_SET.threshold, SIGNER_SET.step_threshold, SIGNER_SET.signers))
    groups = tuple(astuple(bounds) for bounds in (INITIAL_BOUNDS, MAINTENANCE_BOUNDS, SLOPE_BOUNDS))
    for market_id in market_ids:
        execute(owner, oracle, "configureMarket", market_id, f"MARKET-{market_id}", (True, _FALLBACK_PPM, *groups))
    return PostingChain(oracle, owner)


def report_as_tuple(report: MarginReport) -> tuple[object, ...]:
    """Return the report as the ABI codec takes `IMarginOracle.Report`."""
    return astuple(report)
