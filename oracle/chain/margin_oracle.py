"""The views of MarginOracle, typed; units and meaning are those of `IMarginOracle`.

Written by `scripts/contracts build` from the compiled contract; not edited by hand.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple, Protocol


class Reading(Protocol):
    """Answers a view at some block: `partial(contract.call, stamp)`, `partial(agreed_read, contract, stamp)`."""

    def __call__(self, function: str, *arguments: Any) -> Any: ...


class BlockHashSource(IntEnum):
    """Enumeration `BlockHashSource` of the contract."""

    EVM = 0
    EIP2935 = 1
    ARB_SYS = 2


class Purpose(IntEnum):
    """Enumeration `Purpose` of the contract."""

    OPENING = 0
    LIQUIDATING = 1


class Refusal(IntEnum):
    """Enumeration `Refusal` of the contract."""

    UNKNOWN_MARKET = 0
    INITIAL_BELOW_MAINTENANCE = 1
    BELOW_MINIMUM = 2
    ABOVE_MAXIMUM = 3
    INITIAL_STEP_UP = 4
    MAINTENANCE_RATE_UP = 5
    SLOPE_STEP_UP = 6
    RATE_DOWN = 7
    RISE_TOO_SOON = 8


class AccountLeaf(NamedTuple):
    """Struct `AccountLeaf` of the contract."""

    account_key: bytes
    position_version: int
    initial_wad: int
    maintenance_wad: int
    reference_block: int


class Bounds(NamedTuple):
    """Struct `Bounds` of the contract."""

    minimum: int
    maximum: int
    step_relative_ppm: int
    step_minimum: int
    rise_hourly: int
    fall_hourly: int


class CurrentMargin(NamedTuple):
    """Struct `CurrentMargin` of the contract."""

    initial_long: int
    initial_short: int
    maintenance_long: int
    maintenance_short: int
    slope_long: int
    slope_short: int
    reference_timestamp: int


class Eip712Domain(NamedTuple):
    """What `eip712Domain` returns."""

    fields: bytes
    name: str
    version: str
    chain_id: int
    verifying_contract: str
    salt: bytes
    extensions: tuple[int, ...]


class LatestAccounts(NamedTuple):
    """What `latestAccounts` returns."""

    root: bytes
    reference_block: int
    reference_timestamp: int


class MarketConfig(NamedTuple):
    """Struct `MarketConfig` of the contract."""

    exists: bool
    fallback_initial_ppm: int
    initial: Bounds
    maintenance: Bounds
    slope: Bounds

    @classmethod
    def of(cls, value: Any) -> MarketConfig:
        """Give a decoded tuple its types."""
        return cls(value[0], value[1], Bounds(*value[2]), Bounds(*value[3]), Bounds(*value[4]))


class MarketMargin(NamedTuple):
    """Struct `MarketMargin` of the contract."""

    market_id: int
    initial_long: int
    initial_short: int
    maintenance_long: int
    maintenance_short: int
    slope_long: int
    slope_short: int


class MarketState(NamedTuple):
    """Struct `MarketState` of the contract."""

    current: CurrentMargin
    pending: CurrentMargin
    pending_timestamp: int
    last_rise_timestamp: int
    is_corrected: bool
    round_id: int

    @classmethod
    def of(cls, value: Any) -> MarketState:
        """Give a decoded tuple its types."""
        return cls(CurrentMargin(*value[0]), CurrentMargin(*value[1]), value[2], value[3], value[4], value[5])


class Preview(NamedTuple):
    """What `preview` returns."""

    digest: bytes
    refusals: int


class Report(NamedTuple):
    """Struct `Report` of the contract."""

    signer_set_epoch: int
    sequence: int
    reference_block: int
    reference_block_hash: bytes
    reference_timestamp: int
    valid_until: int
    model_hash: bytes
    details_hash: bytes
    accounts_root: bytes
    account_count: int
    exceeds_step: bool
    markets: tuple[MarketMargin, ...]


class Rotation(NamedTuple):
    """What `rotation` returns."""

    signer: str
    allowed_timestamp: int


class Timing(NamedTuple):
    """Struct `Timing` of the contract."""

    heartbeat_seconds: int
    dwell_seconds: int
    minimum_delay_seconds: int


class TryMargin(NamedTuple):
    """What `tryMargin` returns."""

    ok: bool
    current: CurrentMargin

    @classmethod
    def of(cls, value: Any) -> TryMargin:
        """Give a decoded tuple its types."""
        return cls(value[0], CurrentMargin(*value[1]))


class MarginOracle:
    """The views of MarginOracle, one method each.

    Parameters
    ----------
    read : Reading
        Its errors pass through.
    """

    def __init__(self, read: Reading) -> None:
        self._read = read

    def version(self) -> str:
        """`VERSION` of the contract."""
        return str(self._read("VERSION"))

    def accounts_stale(self) -> bool:
        """True when the latest accounts root is missing or older than the heartbeat."""
        return bool(self._read("accountsStale"))

    def block_hash_source(self) -> BlockHashSource:
        """`blockHashSource` of the contract."""
        return BlockHashSource(self._read("blockHashSource"))

    def eip712_domain(self) -> Eip712Domain:
        """`eip712Domain` of the contract."""
        return Eip712Domain(*self._read("eip712Domain"))

    def guardian(self) -> str:
        """`guardian` of the contract."""
        return str(self._read("guardian"))

    def hash_account(self, leaf: AccountLeaf) -> bytes:
        """The leaf hash of an account."""
        return bytes(self._read("hashAccount", leaf))

    def hash_report(self, report: Report) -> bytes:
        """The EIP-712 digest of a report, as signed."""
        return bytes(self._read("hashReport", report))

    def heartbeat_seconds(self) -> int:
        """`heartbeatSeconds` of the contract."""
        return int(self._read("heartbeatSeconds"))

    def is_paused(self) -> bool:
        """`isPaused` of the contract."""
        return bool(self._read("isPaused"))

    def last_reference_block(self) -> int:
        """`lastReferenceBlock` of the contract."""
        return int(self._read("lastReferenceBlock"))

    def last_reference_timestamp(self) -> int:
        """`lastReferenceTimestamp` of the contract."""
        return int(self._read("lastReferenceTimestamp"))

    def last_sequence(self) -> int:
        """`lastSequence` of the contract."""
        return int(self._read("lastSequence"))

    def latest_accounts(self) -> LatestAccounts:
        """`latestAccounts` of the contract."""
        return LatestAccounts(*self._read("latestAccounts"))

    def margin(self, market_id: int) -> CurrentMargin:
        """The margins in force; reverts when none were posted, when they are older than the heartbeat, or while the L2
        sequencer is down or came back less than the grace period ago.
        """
        return CurrentMargin(*self._read("margin", market_id))

    def margin_unsafe(self, market_id: int) -> CurrentMargin:
        """The last posted margins whatever their age; zeros when none were posted."""
        return CurrentMargin(*self._read("marginUnsafe", market_id))

    def market_config(self, market_id: int) -> MarketConfig:
        """`marketConfig` of the contract."""
        return MarketConfig.of(self._read("marketConfig", market_id))

    def market_state(self, market_id: int) -> MarketState:
        """`marketState` of the contract."""
        return MarketState.of(self._read("marketState", market_id))

    def owner(self) -> str:
        """`owner` of the contract."""
        return str(self._read("owner"))

    def owner_delay_seconds(self) -> int:
        """`ownerDelaySeconds` of the contract."""
        return int(self._read("ownerDelaySeconds"))

    def pending_owner(self) -> str:
        """`pendingOwner` of the contract."""
        return str(self._read("pendingOwner"))

    def preview(self, packed: bytes) -> Preview:
        """Whether `packed` would be accepted in this block; reverts with the same error as `post` if not."""
        return Preview(*self._read("preview", packed))

    def ready_timestamp(self, id_: bytes) -> int:
        """When a proposed change may be executed; 0 when it is not proposed."""
        return int(self._read("readyTimestamp", id_))

    def require_fresh(self, market_id: int) -> None:
        """Reverts where `margin` does, for consumers that need no figure; the heartbeat lives here alone."""
        self._read("requireFresh", market_id)

    def require_sequencer_up(self) -> None:
        """Reverts while the L2 sequencer is down or in its grace period; never on a chain without one."""
        self._read("requireSequencerUp")

    def requirement(self, market_id: int, is_long: bool, notional_wad: int, purpose: Purpose) -> int:
        """Requirement in USD wad, rounded up, of one position."""
        return int(self._read("requirement", market_id, is_long, notional_wad, purpose))

    def rotation(self, custodian: str) -> Rotation:
        """The signer that a custodian may replace, and from when."""
        return Rotation(*self._read("rotation", custodian))

    def sequencer_grace_seconds(self) -> int:
        """`sequencerGraceSeconds` of the contract."""
        return int(self._read("sequencerGraceSeconds"))

    def sequencer_uptime_feed(self) -> str:
        """`sequencerUptimeFeed` of the contract."""
        return str(self._read("sequencerUptimeFeed"))

    def signer_set_epoch(self) -> int:
        """`signerSetEpoch` of the contract."""
        return int(self._read("signerSetEpoch"))

    def signer_set_hash(self) -> bytes:
        """keccak256 of epoch (4 bytes), threshold (1), stepThreshold (1) and the signers (20 each), packed."""
        return bytes(self._read("signerSetHash"))

    def timing(self) -> Timing:
        """`timing` of the contract."""
        return Timing(*self._read("timing"))

    def try_margin(self, market_id: int) -> TryMargin:
        """As `margin`, with a flag in place of the revert. `ok` false means: do not use the figure for opening."""
        return TryMargin.of(self._read("tryMargin", market_id))

    def verify_account(self, leaf: AccountLeaf, proof: tuple[bytes, ...], reduces_risk: bool) -> None:
        """Checks an account's leaf against the latest root while young, or, for an action that reduces risk, against
        the root before it for five minutes after it was replaced (or until it would itself have become stale, where
        that is sooner, by the heartbeat of the moment when it was replaced). A root of zero is none. Reverts otherwise,
        and for an action that does not reduce risk also while the sequencer is down or in its grace period. Who
        liquidates by proof calls `requireSequencerUp` too.
        """
        self._read("verifyAccount", leaf, proof, reduces_risk)
