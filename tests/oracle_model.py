"""The contract's state machine in plain Python, written from the words of `IMarginOracle.sol`.

Nothing here is packed, cached or saved: values are whole numbers, rules are loops. `OracleModel.transact` answers as
the contract does: a result and events, or `Revert` with the name and the arguments of the error. Addresses are `0x` and
40 lower-case digits, so that their order as text is their order as numbers.

What those words leave open is taken from the contract, since somebody has to say it: which error comes first where
several would do, the order of the events of one call, the largest sequence, and what a feed is worth that fails or does
not know since when.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

import coincurve
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

ZERO = "0x" + "00" * 20
ZERO_HASH = bytes(32)
DAY = 86_400
CHANGE_LIFETIME_SECONDS = 14 * DAY
OWNER_DELAY_MAXIMUM_SECONDS = 30 * DAY
PREVIOUS_ROOT_SECONDS = 300
SIGNERS_MAXIMUM = 32
LAST_RISE_SECONDS = 65_535
ORDINAL_MAXIMUM = 63
SEQUENCE_MAXIMUM = 2**48 - 1
HEADER, MARKET, SIGNER, SIGNATURE = 172, 28, 20, 64
"""Bytes of each part of a packed report."""
CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
OPENING, LIQUIDATING = 0, 1
(
    UNKNOWN_MARKET,
    INITIAL_BELOW_MAINTENANCE,
    BELOW_MINIMUM,
    ABOVE_MAXIMUM,
    INITIAL_STEP_UP,
    MAINTENANCE_RATE_UP,
    SLOPE_STEP_UP,
    RATE_DOWN,
    RISE_TOO_SOON,
) = range(9)

Values = tuple[int, int, int, int, int, int]
"""Initial long and short, maintenance long and short (ppm), slope long and short (ppm per million USD)."""
NOTHING: Values = (0, 0, 0, 0, 0, 0)


class Revert(Exception):
    """The call fails with this error of the contract's."""

    def __init__(self, name: str, *arguments: object) -> None:
        super().__init__(name, *arguments)
        self.name = name
        self.arguments = arguments


class Event(NamedTuple):
    """What the contract would log."""

    name: str
    arguments: tuple[object, ...]


class World(NamedTuple):
    """What the contract sees of the chain. `block_hash` answers None for what the source cannot prove."""

    number: int
    timestamp: int
    block_hash: Callable[[int], bytes | None]
    sequencer_answer: int
    sequencer_started: int
    sequencer_is_broken: bool


class Timing(NamedTuple):
    """As `IMarginOracle.Timing`."""

    heartbeat_seconds: int
    dwell_seconds: int
    minimum_delay_seconds: int


class Setup(NamedTuple):
    """As `IMarginOracle.Setup`."""

    owner: str
    guardian: str
    block_hash_source: int
    timing: Timing
    owner_delay_seconds: int
    sequencer_uptime_feed: str
    sequencer_grace_seconds: int


class Bounds(NamedTuple):
    """As `IMarginOracle.Bounds`."""

    minimum: int
    maximum: int
    step_relative_ppm: int
    step_minimum: int
    rise_hourly: int
    fall_hourly: int


class MarketConfig(NamedTuple):
    """As `IMarginOracle.MarketConfig`."""

    exists: bool
    fallback_initial_ppm: int
    initial: Bounds
    maintenance: Bounds
    slope: Bounds

    def bounds(self, field: int) -> Bounds:
        """Return the limits of one of the six values."""
        return (self.initial, self.initial, self.maintenance, self.maintenance, self.slope, self.slope)[field]


NO_BOUNDS = Bounds(0, 0, 0, 0, 0, 0)
NO_CONFIG = MarketConfig(False, 0, NO_BOUNDS, NO_BOUNDS, NO_BOUNDS)


class SignerSet(NamedTuple):
    """As `IMarginOracle.SignerSet`."""

    threshold: int
    step_threshold: int
    signers: tuple[str, ...]


class Report(NamedTuple):
    """As `IMarginOracle.Report`; a market is its id and the six values."""

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
    markets: tuple[tuple[int, ...], ...]


class Leaf(NamedTuple):
    """As `IMarginOracle.AccountLeaf`."""

    account_key: bytes
    position_version: int
    initial_wad: int
    maintenance_wad: int
    reference_block: int


class Market(NamedTuple):
    """What is held of a posted market."""

    current: Values
    reference_timestamp: int
    ordinal: int
    pending: Values
    pending_timestamp: int
    last_rise_timestamp: int
    is_corrected: bool


class Root(NamedTuple):
    """An accounts root of a report."""

    root: bytes
    reference_block: int
    reference_timestamp: int


NO_ROOT = Root(ZERO_HASH, 0, 0)
MARKET_TYPE = (
    b"MarketMargin(uint32 marketId,uint32 initialLong,uint32 initialShort,uint32 maintenanceLong,"
    b"uint32 maintenanceShort,uint32 slopeLong,uint32 slopeShort)"
)
REPORT_TYPE = (
    b"Report(uint32 signerSetEpoch,uint64 sequence,uint64 referenceBlock,bytes32 referenceBlockHash,"
    b"uint64 referenceTimestamp,uint64 validUntil,bytes32 modelHash,bytes32 detailsHash,bytes32 accountsRoot,"
    b"uint32 accountCount,bool exceedsStep,MarketMargin[] markets)"
)
MARKET_TYPE_HASH, REPORT_TYPE_HASH = keccak(MARKET_TYPE), keccak(REPORT_TYPE + MARKET_TYPE)
BOUNDS_ABI = "(uint32,uint32,uint32,uint32,uint32,uint32)"
OWNER_FUNCTIONS = {
    "setSigners": ("(uint8,uint8,address[])",),
    "configureMarket": ("uint32", "string", f"(bool,uint32,{BOUNDS_ABI},{BOUNDS_ABI},{BOUNDS_ABI})"),
    "setTiming": ("(uint24,uint24,uint16)",),
    "grantRotation": ("address", "address"),
    "setGuardian": ("address",),
    "setOwnerDelay": ("uint32",),
    "transferOwnership": ("address",),
}
SELECTORS = {keccak(f"{name}({','.join(types)})".encode())[:4]: name for name, types in OWNER_FUNCTIONS.items()}


def number(packed: bytes, start: int, length: int) -> int:
    """Return a big-endian field."""
    return int.from_bytes(packed[start : start + length])


def words(*values: int) -> bytes:
    """Return whole numbers as the ABI encodes them, 32 bytes each."""
    return b"".join(value.to_bytes(32) for value in values)


def digest(report: Report, separator: bytes) -> bytes:
    """Return the EIP-712 digest."""
    markets = b"".join(keccak(MARKET_TYPE_HASH + words(*market)) for market in report.markets)
    struct = (
        REPORT_TYPE_HASH
        + words(report.signer_set_epoch, report.sequence, report.reference_block)
        + report.reference_block_hash
        + words(report.reference_timestamp, report.valid_until)
        + report.model_hash
        + report.details_hash
        + report.accounts_root
        + words(report.account_count, report.exceeds_step)
        + keccak(markets)
    )
    return keccak(b"\x19\x01" + separator + keccak(struct))


def set_hash(epoch: int, members: SignerSet) -> bytes:
    """Return what the contract stores of a signer set."""
    signers = b"".join(bytes.fromhex(each[2:]) for each in members.signers)
    return keccak(epoch.to_bytes(4) + bytes([members.threshold, members.step_threshold]) + signers)


def recover(message: bytes, r: bytes, vs: bytes) -> str | None:
    """Return who signed; None where the signature is no canonical one."""
    s = int.from_bytes(vs) % 2**255
    if s > CURVE_ORDER // 2:
        return None
    parity = vs[0] >> 7
    try:
        key = coincurve.PublicKey.from_signature_and_message(r + s.to_bytes(32) + bytes([parity]), message, hasher=None)
    except Exception:  # noqa: BLE001  coincurve raises bare Exception and ValueError
        return None
    return "0x" + keccak(key.format(compressed=False)[1:])[12:].hex()


def check_signatures(
    report: Report, members: SignerSet, message: bytes, bitmap: int, signatures: list[tuple[bytes, bytes]]
) -> None:
    """Raise unless enough members signed and nothing else is among the signatures."""
    needed = members.step_threshold if report.exceeds_step else members.threshold
    if len(signatures) < needed:
        raise Revert("NotEnoughSignatures", needed, len(signatures))
    places = [place for place in range(len(members.signers)) if bitmap >> place & 1]
    for place, (r, vs) in zip(places, signatures, strict=True):
        if recover(message, r, vs) != members.signers[place]:
            raise Revert("InvalidSignature", place)


def check_signer_set(members: SignerSet) -> None:
    """Raise on a set that the contract may not be given."""
    count = len(members.signers)
    ascending = all(a < b for a, b in zip((ZERO, *members.signers), members.signers, strict=False))
    quorum = 2 * members.threshold > count and members.threshold < members.step_threshold <= count
    if not (ascending and quorum and count <= SIGNERS_MAXIMUM):
        raise Revert("InvalidSignerSet")


def check_config(config: MarketConfig) -> None:
    """Raise on limits that contradict themselves."""
    initial, maintenance, slope = config.initial, config.maintenance, config.slope
    sound = (
        config.exists
        and config.fallback_initial_ppm >= initial.minimum
        and all(each.minimum <= each.maximum for each in (initial, maintenance, slope))
        and initial.minimum > 0
        and maintenance.minimum > 0
        and initial.rise_hourly == slope.rise_hourly == 0
        and maintenance.step_relative_ppm == maintenance.step_minimum == 0
    )
    if not sound:
        raise Revert("InvalidConfiguration")


def largest_step(bounds: Bounds, in_force: int) -> int:
    """Return the largest rise in one report, rounded down."""
    return max(floor(Fraction(bounds.step_relative_ppm * in_force, 10**6)), bounds.step_minimum)


def largest_change(hourly: int, elapsed_seconds: int) -> int:
    """Return the largest change in so many seconds, rounded down."""
    return floor(Fraction(hourly * elapsed_seconds, 3_600))


def word(market_id: int, values: Values) -> int:
    """Return a tuple as events carry it."""
    packed = market_id
    for value in values:
        packed = packed << 32 | value
    return packed


def maximum(first: Values, second: Values) -> Values:
    """Return the componentwise maximum."""
    a, b, c, d, e, f = (max(pair) for pair in zip(first, second, strict=True))
    return a, b, c, d, e, f


class OracleModel:
    """The contract.

    Parameters
    ----------
    setup : Setup
        As given to the constructor.
    separator : bytes
        EIP-712 domain separator.
    """

    def __init__(self, setup: Setup, separator: bytes) -> None:
        self.setup = setup
        self.separator = separator
        self.owner = setup.owner
        self.pending_owner = ZERO
        self.guardian = setup.guardian
        self.timing = setup.timing
        self.owner_delay_seconds = setup.owner_delay_seconds
        self.signer_set_hash = ZERO_HASH
        self.signer_set_epoch = 0
        self.last_sequence = 0
        self.last_reference_block = 0
        self.last_reference_timestamp = 0
        self.latest = NO_ROOT
        self.previous = NO_ROOT
        self.previous_until = 0
        self.is_paused = False
        self.configs: dict[int, MarketConfig] = {}
        self.markets: dict[int, Market] = {}
        self.ready: dict[bytes, int] = {}
        self.rotations: dict[str, tuple[str, int]] = {}
        self.events: list[Event] = []

    # ------------------------------------------------------------------ calls

    def transact(self, sender: str, world: World, function: str, *arguments: object) -> tuple[object, list[Event]]:
        """Return the result and the events of a transaction; whoever reverts changes nothing."""
        before = copy.copy(self.__dict__)
        before |= {name: value.copy() for name, value in before.items() if isinstance(value, dict)}
        self.events = []
        try:
            if function in OWNER_FUNCTIONS:
                result = self.change(sender, world, function, *arguments)
            else:
                result = getattr(self, function)(sender, world, *arguments)
        except Revert:
            self.__dict__.update(before)
            raise
        return result, self.events

    def emit(self, name: str, *arguments: object) -> None:
        """Log an event."""
        self.events.append(Event(name, arguments))

    # ------------------------------------------------------------------ posting

    def post(self, sender: str, world: World, arguments: bytes) -> None:
        """Take the ABI-encoded arguments of `post`."""
        report, message = self.accept(world, arguments)
        margins = []
        for market_id, *values in report.markets:
            a, b, c, d, e, f = values
            if self.post_market(world, report, market_id, (a, b, c, d, e, f)):
                margins.append(word(market_id, self.markets[market_id].current))
        self.last_sequence = report.sequence
        self.last_reference_block = report.reference_block
        self.last_reference_timestamp = report.reference_timestamp
        self.previous = self.latest
        stale_after = self.previous.reference_timestamp + self.timing.heartbeat_seconds
        self.previous_until = min(world.timestamp + PREVIOUS_ROOT_SECONDS, stale_after)
        self.latest = Root(report.accounts_root, report.reference_block, report.reference_timestamp)
        self.emit(
            "ReportPosted",
            report.sequence,
            message,
            report.reference_block,
            report.reference_timestamp,
            report.model_hash,
            report.details_hash,
            report.accounts_root,
            report.account_count,
            tuple(margins),
        )

    def preview(self, sender: str, world: World, arguments: bytes) -> tuple[bytes, int]:
        """Return the digest and the count of refused tuples."""
        report, message = self.accept(world, arguments)
        refused = 0
        for market_id, *values in report.markets:
            a, b, c, d, e, f = values
            refused += self.refusal(report, market_id, (a, b, c, d, e, f)) is not None
        return message, refused

    def accept(self, world: World, arguments: bytes) -> tuple[Report, bytes]:
        """Return a report and its digest, or raise for the report as a whole."""
        check_abi(arguments)
        if self.is_paused:
            raise Revert("PostsPaused")
        report, members, bitmap, signatures = parse(unwrapped(arguments))
        self.check_signer_set(report, members)
        self.check_order(world, report)
        message = digest(report, self.separator)
        check_signatures(report, members, message, bitmap, signatures)
        return report, message

    def check_signer_set(self, report: Report, members: SignerSet) -> None:
        """Raise unless the set is the one in force."""
        if report.signer_set_epoch != self.signer_set_epoch:
            raise Revert("WrongEpoch", self.signer_set_epoch, report.signer_set_epoch)
        actual = set_hash(report.signer_set_epoch, members)
        if actual != self.signer_set_hash:
            raise Revert("WrongSignerSet", self.signer_set_hash, actual)

    def check_order(self, world: World, report: Report) -> None:
        """Raise unless the report is new, in time and of a block that the source proves."""
        if report.sequence <= self.last_sequence:
            raise Revert("SequenceNotIncreasing", self.last_sequence, report.sequence)
        if report.sequence > SEQUENCE_MAXIMUM:
            raise Revert("SequenceTooLarge", report.sequence)
        if report.reference_block <= self.last_reference_block:
            raise Revert("ReferenceBlockNotIncreasing", self.last_reference_block, report.reference_block)
        if report.reference_timestamp < self.last_reference_timestamp:
            raise Revert("ReferenceTimestampDecreasing", self.last_reference_timestamp, report.reference_timestamp)
        if report.reference_timestamp > world.timestamp:
            raise Revert("ReferenceInFuture", report.reference_timestamp, world.timestamp)
        if world.timestamp > report.valid_until:
            raise Revert("Expired", report.valid_until, world.timestamp)
        proven = world.block_hash(report.reference_block)
        if proven is None:
            raise Revert("BlockHashUnavailable", report.reference_block)
        if proven != report.reference_block_hash:
            raise Revert("WrongBlockHash", proven, report.reference_block_hash)

    def refusal(self, report: Report, market_id: int, values: Values) -> tuple[int, int, int] | None:
        """Return why a tuple is refused, with the value in force and the value offered; None when it is not."""
        if market_id not in self.configs:
            return UNKNOWN_MARKET, 0, 0
        config, market = self.configs[market_id], self.markets.get(market_id)
        in_force = market.current if market else NOTHING
        for side in (0, 1):
            if values[side] < values[side + 2]:
                return INITIAL_BELOW_MAINTENANCE, in_force[side], values[side]
        elapsed = report.reference_timestamp - market.reference_timestamp if market else 0
        for field in range(6):
            reason = self.field_refusal(config, field, in_force[field], values[field], elapsed, report.exceeds_step)
            if reason is not None and (market or reason in (BELOW_MINIMUM, ABOVE_MAXIMUM)):
                return reason, in_force[field], values[field]
        if market and not report.exceeds_step and any(new > old for new, old in zip(values, in_force, strict=True)):
            since_rise = report.reference_timestamp - market.last_rise_timestamp
            if market.is_corrected and since_rise < self.timing.minimum_delay_seconds:
                return RISE_TOO_SOON, since_rise, self.timing.minimum_delay_seconds
        return None

    def field_refusal(
        self, config: MarketConfig, field: int, in_force: int, offered: int, elapsed: int, exceeds_step: bool
    ) -> int | None:
        """Return why one value may not follow the value in force."""
        bounds, rise = config.bounds(field), offered - in_force
        if offered < bounds.minimum:
            return BELOW_MINIMUM
        if offered > bounds.maximum:
            return ABOVE_MAXIMUM
        if -rise > largest_change(bounds.fall_hourly, max(elapsed, self.timing.dwell_seconds)):
            return RATE_DOWN
        if exceeds_step:
            return None
        if field in (2, 3):
            return MAINTENANCE_RATE_UP if rise > largest_change(bounds.rise_hourly, elapsed) else None
        if rise > largest_step(bounds, in_force):
            return SLOPE_STEP_UP if field > 3 else INITIAL_STEP_UP
        return None

    def post_market(self, world: World, report: Report, market_id: int, values: Values) -> bool:
        """Take one tuple of a report; return whether it was not refused."""
        refused = self.refusal(report, market_id, values)
        if refused:
            reason, in_force, offered = refused
            self.emit("MarketRefused", market_id, report.sequence, reason, in_force, offered)
            return False
        before = self.markets.get(market_id)
        if before is None:
            last_rise = report.reference_timestamp - LAST_RISE_SECONDS
            self.markets[market_id] = Market(values, report.reference_timestamp, 0, NOTHING, 0, last_rise, False)
        else:
            self.markets[market_id] = self.moved(world, report, market_id, values, before)
        return True

    def moved(self, world: World, report: Report, market_id: int, values: Values, before: Market) -> Market:
        """Return a market after a tuple that was not refused."""
        in_force, pending, effective = before.current, before.pending, before.pending_timestamp
        if effective and world.timestamp >= effective:
            in_force, pending, effective = pending, NOTHING, 0
        current = maximum(in_force, values)
        if self.timing.dwell_seconds == 0:
            current, pending, effective = values, NOTHING, 0
        elif values == maximum(values, in_force):
            pending, effective = NOTHING, 0
        else:
            if not effective:
                pending, effective = values, world.timestamp + self.timing.dwell_seconds
            else:
                pending = maximum(pending, values)
            self.emit("LooseningPending", market_id, report.sequence, effective, word(market_id, pending))
        last_rise, is_corrected = before.last_rise_timestamp, before.is_corrected
        if maximum(values, before.current) != before.current:
            is_soon = report.reference_timestamp - last_rise < self.timing.minimum_delay_seconds
            last_rise, is_corrected = report.reference_timestamp, is_soon and not report.exceeds_step
        last_rise = max(last_rise, report.reference_timestamp - LAST_RISE_SECONDS)
        return Market(
            current,
            report.reference_timestamp,
            self.next_ordinal(before, report.reference_timestamp),
            pending,
            effective,
            last_rise,
            is_corrected,
        )

    @staticmethod
    def next_ordinal(before: Market, reference_timestamp: int) -> int:
        """Return the ordinal among the tuples of a reference time."""
        if before.reference_timestamp != reference_timestamp:
            return 0
        return min(before.ordinal + 1, ORDINAL_MAXIMUM)

    def applyPending(self, sender: str, world: World, market_id: int) -> None:
        """Bring in force what waits."""
        if self.is_paused:
            raise Revert("PostsPaused")
        self.requireFresh(sender, world, market_id)
        market = self.markets[market_id]
        if not market.pending_timestamp:
            raise Revert("NothingPending", market_id)
        if world.timestamp < market.pending_timestamp:
            raise Revert("PendingNotReady", market.pending_timestamp, world.timestamp)
        self.emit("PendingApplied", market_id, word(market_id, market.pending))
        self.markets[market_id] = market._replace(
            current=market.pending,
            pending=NOTHING,
            pending_timestamp=0,
            ordinal=min(market.ordinal + 1, ORDINAL_MAXIMUM),
        )

    # ------------------------------------------------------------------ reading markets

    def marginUnsafe(self, sender: str, world: World, market_id: int) -> tuple[int, ...]:
        """Return what was last in force."""
        market = self.markets.get(market_id)
        return (*market.current, market.reference_timestamp) if market else (*NOTHING, 0)

    def posted(self, market_id: int) -> Market:
        """Return a market that was posted."""
        if market_id not in self.configs:
            raise Revert("UnknownMarket", market_id)
        if market_id not in self.markets:
            raise Revert("NeverPosted", market_id)
        return self.markets[market_id]

    def requireFresh(self, sender: str, world: World, market_id: int) -> None:
        """Raise where `margin` does."""
        market = self.posted(market_id)
        self.require_young(world, market.reference_timestamp)
        self.requireSequencerUp(sender, world)

    def require_young(self, world: World, reference_timestamp: int) -> None:
        """Raise on what is older than the heartbeat."""
        age = world.timestamp - reference_timestamp
        if age > self.timing.heartbeat_seconds:
            raise Revert("Stale", age, self.timing.heartbeat_seconds)

    def margin(self, sender: str, world: World, market_id: int) -> tuple[int, ...]:
        """Return what is in force."""
        self.requireFresh(sender, world, market_id)
        return self.marginUnsafe(sender, world, market_id)

    def tryMargin(self, sender: str, world: World, market_id: int) -> tuple[bool, tuple[int, ...]]:
        """Return `margin` with a flag in place of the error."""
        return self.is_fresh(sender, world, market_id), self.marginUnsafe(sender, world, market_id)

    def is_fresh(self, sender: str, world: World, market_id: int) -> bool:
        """Return whether `requireFresh` would pass."""
        try:
            self.requireFresh(sender, world, market_id)
        except Revert:
            return False
        return True

    def requirement(
        self, sender: str, world: World, market_id: int, is_long: bool, notional_wad: int, purpose: int
    ) -> int:
        """Return the requirement in USD wad."""
        market = self.posted(market_id)
        side = 0 if is_long else 1
        ratio, slope = market.current[side + 2 * purpose], market.current[4 + side]
        if purpose == LIQUIDATING:
            self.requireSequencerUp(sender, world)
        elif not self.is_fresh(sender, world, market_id):
            ratio = max(ratio, self.configs[market_id].fallback_initial_ppm)
        asked = ceil(Fraction(notional_wad) * (ratio + Fraction(slope * notional_wad, 10**24)) / 10**6)
        if asked >= 2**256:
            raise Revert("Panic", 0x11)
        return asked

    def requireSequencerUp(self, sender: str, world: World) -> None:
        """Raise while the sequencer is down or came back just now."""
        if self.setup.sequencer_uptime_feed == ZERO:
            return
        is_known = not world.sequencer_is_broken and 0 < world.sequencer_started <= world.timestamp
        if not is_known or world.sequencer_answer != 0:
            raise Revert("SequencerDown")
        until = world.sequencer_started + self.setup.sequencer_grace_seconds
        if world.timestamp < until:
            raise Revert("SequencerGracePeriod", until)

    def marketState(self, sender: str, world: World, market_id: int) -> tuple[object, ...]:
        """Return everything held of a market besides its limits."""
        market = self.markets.get(market_id)
        if market is None:
            return (*((*NOTHING, 0),) * 2, 0, 0, False, 0)
        waits = (*market.pending, market.reference_timestamp) if market.pending_timestamp else (*NOTHING, 0)
        return (
            (*market.current, market.reference_timestamp),
            waits,
            market.pending_timestamp,
            market.last_rise_timestamp,
            market.is_corrected,
            market.reference_timestamp * 64 + market.ordinal,
        )

    # ------------------------------------------------------------------ reading accounts

    def hashAccount(self, sender: str, world: World, leaf: Leaf) -> bytes:
        """Return the leaf hash."""
        return keccak(keccak(self.separator + leaf.account_key + words(*leaf[1:])))

    def hashReport(self, sender: str, world: World, report: Report) -> bytes:
        """Return the digest."""
        return digest(report, self.separator)

    def verifyAccount(
        self, sender: str, world: World, leaf: Leaf, proof: tuple[bytes, ...], reduces_risk: bool
    ) -> None:
        """Raise unless the leaf is of a root that counts."""
        if not reduces_risk:
            self.requireSequencerUp(sender, world)
        if leaf.reference_block == self.last_reference_block:
            root = self.latest
            self.require_young(world, root.reference_timestamp)
        elif reduces_risk and world.timestamp <= self.previous_until:
            root = self.previous
        else:
            raise Revert("UnknownRoot", leaf.reference_block)
        if root.root == ZERO_HASH:
            raise Revert("UnknownRoot", leaf.reference_block)
        node = self.hashAccount(sender, world, leaf)
        for sibling in proof:
            node = keccak(min(node, sibling) + max(node, sibling))
        if node != root.root:
            raise Revert("InvalidProof", leaf.account_key)

    def accountsStale(self, sender: str, world: World) -> bool:
        """Return whether the latest root is missing or old."""
        if self.latest.root == ZERO_HASH:
            return True
        return world.timestamp - self.latest.reference_timestamp > self.timing.heartbeat_seconds

    # ------------------------------------------------------------------ owner

    def require_owner(self, sender: str) -> None:
        """Raise unless the owner calls."""
        if sender != self.owner:
            raise Revert("OwnableUnauthorizedAccount", sender)

    def change(self, sender: str, world: World, name: str, *arguments: object) -> None:
        """Carry out one of the owner's functions, called directly."""
        self.require_owner(sender)
        if self.last_sequence and self.owner_delay_seconds:
            raise Revert("MustWait", self.owner_delay_seconds)
        getattr(self, "do_" + name)(world, *arguments)

    def do_setSigners(self, world: World, members: SignerSet) -> None:
        """Replace the set."""
        check_signer_set(members)
        self.replace_signers(members)

    def replace_signers(self, members: SignerSet) -> None:
        """Store a sound set under the next epoch."""
        self.signer_set_epoch += 1
        self.signer_set_hash = set_hash(self.signer_set_epoch, members)
        self.emit("SignerSetChanged", self.signer_set_epoch, *members)

    def do_configureMarket(self, world: World, market_id: int, name: str, config: MarketConfig) -> None:
        """Add a market or change its limits."""
        check_config(config)
        self.configs[market_id] = config
        if market_id in self.markets and self.markets[market_id].pending_timestamp:
            self.drop_pending(market_id)
        self.emit("MarketConfigured", market_id, name, config)

    def do_setTiming(self, world: World, timing: Timing) -> None:
        """Change the times."""
        if timing.heartbeat_seconds == 0:
            raise Revert("InvalidConfiguration")
        self.timing = timing
        self.emit("TimingChanged", timing)

    def do_grantRotation(self, world: World, custodian: str, signer: str) -> None:
        """Let a custodian replace a signer."""
        self.rotations[custodian] = (signer, 0)
        self.emit("RotationGranted", custodian, signer)

    def do_setGuardian(self, world: World, guardian: str) -> None:
        """Change the guardian."""
        self.guardian = guardian
        self.emit("GuardianChanged", guardian)

    def do_setOwnerDelay(self, world: World, owner_delay_seconds: int) -> None:
        """Change the delay."""
        if owner_delay_seconds > OWNER_DELAY_MAXIMUM_SECONDS:
            raise Revert("InvalidConfiguration")
        self.owner_delay_seconds = owner_delay_seconds
        self.emit("OwnerDelayChanged", owner_delay_seconds)

    def do_transferOwnership(self, world: World, owner: str) -> None:
        """Begin the change of owner."""
        self.pending_owner = owner
        self.emit("OwnershipTransferStarted", self.owner, owner)

    def acceptOwnership(self, sender: str, world: World) -> None:
        """End the change of owner."""
        if sender != self.pending_owner:
            raise Revert("OwnableUnauthorizedAccount", sender)
        self.emit("OwnershipTransferred", self.owner, sender)
        self.owner, self.pending_owner = sender, ZERO

    def renounceOwnership(self, sender: str, world: World) -> None:
        """Raise always."""
        raise Revert("OwnerCannotResign")

    def proposeChange(self, sender: str, world: World, change: bytes) -> bytes:
        """Announce a change."""
        self.require_owner(sender)
        if change[:4] not in SELECTORS:
            raise Revert("NotAnOwnerFunction", change[:4].ljust(4, b"\0"))
        identity = keccak(change)
        if identity in self.ready:
            raise Revert("AlreadyProposed", identity)
        self.ready[identity] = world.timestamp + self.owner_delay_seconds
        self.emit("ChangeProposed", identity, self.ready[identity], change)
        return identity

    def executeChange(self, sender: str, world: World, change: bytes) -> None:
        """Carry out a change whose time has come."""
        self.require_owner(sender)
        identity = keccak(change)
        if identity not in self.ready:
            raise Revert("NotProposed", identity)
        ready = self.ready.pop(identity)
        if world.timestamp < ready:
            raise Revert("ChangeNotReady", ready, world.timestamp)
        if world.timestamp > ready + CHANGE_LIFETIME_SECONDS:
            raise Revert("ChangeExpired", ready + CHANGE_LIFETIME_SECONDS, world.timestamp)
        self.emit("ChangeExecuted", identity)
        name, arguments = decode_change(change)
        getattr(self, "do_" + name)(world, *arguments)

    def cancelChange(self, sender: str, world: World, change: bytes) -> None:
        """Drop a change that waits."""
        if sender not in (self.owner, self.guardian):
            raise Revert("OwnableUnauthorizedAccount", sender)
        if sender == self.guardian and SELECTORS.get(change[:4]) == "setGuardian":
            raise Revert("GuardianCannotKeepOffice")
        identity = keccak(change)
        if identity not in self.ready:
            raise Revert("NotProposed", identity)
        del self.ready[identity]
        self.emit("ChangeCancelled", identity, sender)

    def announceCalibration(self, sender: str, world: World, content_hash: bytes, location: str) -> None:
        """Say where an artefact is."""
        self.require_owner(sender)
        self.emit("CalibrationAnnounced", content_hash, location)

    # ------------------------------------------------------------------ custodian

    def rotateSigner(self, sender: str, world: World, members: SignerSet, new_signer: str) -> None:
        """Replace the caller's signer."""
        signer, allowed = self.rotations.get(sender, (ZERO, 0))
        actual = set_hash(self.signer_set_epoch, members)
        if actual != self.signer_set_hash:
            raise Revert("WrongSignerSet", self.signer_set_hash, actual)
        if signer == ZERO or signer not in members.signers:
            raise Revert("NotCustodian", sender, signer)
        if world.timestamp < allowed:
            raise Revert("RotationTooSoon", allowed, world.timestamp)
        signers = tuple(sorted(new_signer if each == signer else each for each in members.signers))
        rotated = members._replace(signers=signers)
        check_signer_set(rotated)
        self.rotations[sender] = (new_signer, world.timestamp + DAY)
        self.emit("SignerRotated", sender, signer, new_signer)
        self.replace_signers(rotated)

    # ------------------------------------------------------------------ guardian

    def require_guardian(self, sender: str) -> None:
        """Raise unless the guardian calls."""
        if sender != self.guardian:
            raise Revert("NotGuardian", sender)

    def pause(self, sender: str, world: World) -> None:
        """Stop posts."""
        self.require_guardian(sender)
        self.is_paused = True
        self.emit("Paused")

    def unpause(self, sender: str, world: World) -> None:
        """Let posts through again."""
        self.require_guardian(sender)
        self.is_paused = False
        self.emit("Unpaused")

    def cancelPending(self, sender: str, world: World, market_id: int) -> None:
        """Drop what waits."""
        self.require_guardian(sender)
        if market_id not in self.markets or not self.markets[market_id].pending_timestamp:
            raise Revert("NothingPending", market_id)
        self.drop_pending(market_id)

    def drop_pending(self, market_id: int) -> None:
        """Let nothing wait any more."""
        market = self.markets[market_id]
        self.emit("PendingCancelled", market_id, word(market_id, market.pending))
        self.markets[market_id] = market._replace(pending=NOTHING, pending_timestamp=0)

    def voidAccounts(self, sender: str, world: World) -> None:
        """Drop both roots."""
        self.require_guardian(sender)
        self.emit("AccountsVoided", self.latest.reference_block)
        self.latest, self.previous = (each._replace(root=ZERO_HASH) for each in (self.latest, self.previous))


def check_abi(arguments: bytes) -> None:
    """Raise what the language raises, nothing, on arguments that are no `bytes` in any encoding."""
    offset = number(arguments, 0, 32)
    if len(arguments) < 32 or offset + 32 > len(arguments):
        raise Revert("")
    if offset + 32 + number(arguments, offset, 32) > len(arguments):
        raise Revert("")


def unwrapped(arguments: bytes) -> bytes:
    """Return the bytes in a canonical ABI wrapper."""
    length = number(arguments, 32, 32)
    octets = arguments[64 : 64 + length]
    if arguments != encode(["bytes"], [octets]):
        raise Revert("NonCanonicalCalldata")
    return octets


def parse(packed: bytes) -> tuple[Report, SignerSet, int, list[tuple[bytes, bytes]]]:
    """Return the report, the signer set, the bitmap and the signatures of the packed form."""
    if len(packed) < HEADER:
        raise Revert("InvalidCalldataLength", HEADER, len(packed))
    market_count, signer_count = number(packed, 169, 2), packed[171]
    bitmap_at = HEADER + MARKET * market_count + 2 + SIGNER * signer_count
    if len(packed) < bitmap_at + 4:
        raise Revert("InvalidCalldataLength", bitmap_at + 4, len(packed))
    bitmap = number(packed, bitmap_at, 4)
    if bitmap >> signer_count:
        raise Revert("NonCanonicalCalldata")
    expected = bitmap_at + 4 + SIGNATURE * bitmap.bit_count()
    if len(packed) != expected:
        raise Revert("InvalidCalldataLength", expected, len(packed))
    markets = []
    for index in range(market_count):
        start = HEADER + MARKET * index
        markets.append(tuple(number(packed, start + 4 * field, 4) for field in range(7)))
    for previous, following in zip(markets, markets[1:], strict=False):
        if following[0] <= previous[0]:
            raise Revert("MarketsNotAscending", previous[0], following[0])
    if packed[168] > 1:
        raise Revert("NonCanonicalCalldata")
    report = Report(
        number(packed, 0, 4),
        number(packed, 4, 8),
        number(packed, 12, 8),
        packed[20:52],
        number(packed, 52, 8),
        number(packed, 60, 8),
        packed[68:100],
        packed[100:132],
        packed[132:164],
        number(packed, 164, 4),
        packed[168] == 1,
        tuple(markets),
    )
    set_at = HEADER + MARKET * market_count
    signers = [packed[set_at + 2 + SIGNER * index :][:SIGNER] for index in range(signer_count)]
    members = SignerSet(packed[set_at], packed[set_at + 1], tuple("0x" + each.hex() for each in signers))
    signatures = []
    for index in range(bitmap.bit_count()):
        start = bitmap_at + 4 + SIGNATURE * index
        signatures.append((packed[start : start + 32], packed[start + 32 : start + 64]))
    return report, members, bitmap, signatures


def decode_change(change: bytes) -> tuple[str, tuple[object, ...]]:
    """Return the name and the arguments of an owner function's call."""
    name = SELECTORS[change[:4]]
    try:
        arguments = decode(OWNER_FUNCTIONS[name], change[4:])
    except DecodingError as failure:
        raise Revert("FailedCall") from failure
    if name == "setSigners":
        return name, (SignerSet(*arguments[0]),)
    if name == "setTiming":
        return name, (Timing(*arguments[0]),)
    if name == "configureMarket":
        exists, fallback, *groups = arguments[2]
        return name, (*arguments[:2], MarketConfig(exists, fallback, *(Bounds(*group) for group in groups)))
    return name, arguments
