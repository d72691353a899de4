"""Reader of MarginOracle: who may sign, what was posted last, and each market's figures and bounds, at one block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oracle.chain.client import ChainClient
from oracle.chain.contract import Contract, load_artefact
from oracle.errors import BadBook
from oracle.readers.agreement import agreed_read
from oracle.types import BlockStamp, Bounds, MarketMargin, OracleState, PendingMargin, PostedMarket, Timing

ORACLE_VERSION = "1"


def read_oracle_state(client: ChainClient, address: str, market_ids: Sequence[int], stamp: BlockStamp) -> OracleState:
    """Return the oracle contract's state for the given markets.

    Parameters
    ----------
    client : ChainClient
    address : str
        MarginOracle.
    market_ids : sequence of int
        The markets that the venue lists, ascending.
    stamp : BlockStamp

    Raises
    ------
    WrongContract
        If another contract, or another version, is at the address.
    BadBook
        If the venue lists a market that the oracle does not know.
    """
    contract = Contract(client, address, load_artefact("MarginOracle").interface)
    contract.require(stamp, ORACLE_VERSION)
    return OracleState(
        address=contract.address,
        signer_set_epoch=agreed_read(contract, stamp, "signerSetEpoch"),
        signer_set_hash=agreed_read(contract, stamp, "signerSetHash"),
        last_sequence=agreed_read(contract, stamp, "lastSequence"),
        last_reference_block=contract.call(stamp, "lastReferenceBlock"),
        last_reference_timestamp=contract.call(stamp, "lastReferenceTimestamp"),
        timing=_timing(contract.call(stamp, "timing")),
        is_paused=contract.call(stamp, "isPaused"),
        markets=tuple(_market(contract, market_id, stamp) for market_id in market_ids),
    )


def _market(contract: Contract, market_id: int, stamp: BlockStamp) -> PostedMarket:
    config = contract.call(stamp, "marketConfig", market_id)
    if not config.exists:
        raise BadBook(
            f"the venue lists market {market_id}, which the oracle {contract.address} does not know",
            "its owner calls configureMarket",
        )
    held = contract.call(stamp, "marketState", market_id)
    return PostedMarket(
        market_id=market_id,
        margin=_margin(market_id, held.current),
        reference_timestamp=held.current.referenceTimestamp,
        pending=PendingMargin(_margin(market_id, held.pending), held.pendingTimestamp)
        if held.pendingTimestamp
        else None,
        last_rise_timestamp=held.lastRiseTimestamp,
        is_corrected=held.isCorrected,
        fallback_initial_ppm=config.fallbackInitialPpm,
        initial=_bounds(config.initial),
        maintenance=_bounds(config.maintenance),
        slope=_bounds(config.slope),
    )


def _margin(market_id: int, held: Any) -> MarketMargin:
    return MarketMargin(
        market_id=market_id,
        initial_long_ppm=held.initialLong,
        initial_short_ppm=held.initialShort,
        maintenance_long_ppm=held.maintenanceLong,
        maintenance_short_ppm=held.maintenanceShort,
        slope_long_ppm=held.slopeLong,
        slope_short_ppm=held.slopeShort,
    )


def _timing(timing: Any) -> Timing:
    return Timing(
        heartbeat_seconds=timing.heartbeatSeconds,
        dwell_seconds=timing.dwellSeconds,
        minimum_delay_seconds=timing.minimumDelaySeconds,
    )


def _bounds(bounds: Any) -> Bounds:
    return Bounds(
        minimum=bounds.minimum,
        maximum=bounds.maximum,
        step_relative_ppm=bounds.stepRelativePpm,
        step_minimum=bounds.stepMinimum,
        rise_hourly=bounds.riseHourly,
        fall_hourly=bounds.fallHourly,
    )
