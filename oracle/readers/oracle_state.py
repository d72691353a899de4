"""Reader of MarginOracle: who may sign, what was posted last, and each market's figures and bounds, at one block."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from oracle.chain import margin_oracle
from oracle.chain.client import ChainClient
from oracle.chain.contract import Contract, load_artefact
from oracle.chain.margin_oracle import CurrentMargin, MarginOracle
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
    agreed = MarginOracle(partial(agreed_read, contract, stamp))
    views = MarginOracle(partial(contract.call, stamp))
    return OracleState(
        address=contract.address,
        signer_set_epoch=agreed.signer_set_epoch(),
        signer_set_hash=agreed.signer_set_hash(),
        last_sequence=agreed.last_sequence(),
        last_reference_block=views.last_reference_block(),
        last_reference_timestamp=views.last_reference_timestamp(),
        timing=_timing(views.timing()),
        is_paused=views.is_paused(),
        markets=tuple(_market(views, contract.address, market_id) for market_id in market_ids),
    )


def _market(views: MarginOracle, address: str, market_id: int) -> PostedMarket:
    config = views.market_config(market_id)
    if not config.exists:
        raise BadBook(
            f"the venue lists market {market_id}, which the oracle {address} does not know",
            "its owner calls configureMarket",
        )
    held = views.market_state(market_id)
    return PostedMarket(
        market_id=market_id,
        margin=_margin(market_id, held.current),
        reference_timestamp=held.current.reference_timestamp,
        pending=PendingMargin(_margin(market_id, held.pending), held.pending_timestamp)
        if held.pending_timestamp
        else None,
        last_rise_timestamp=held.last_rise_timestamp,
        is_corrected=held.is_corrected,
        fallback_initial_ppm=config.fallback_initial_ppm,
        initial=_bounds(config.initial),
        maintenance=_bounds(config.maintenance),
        slope=_bounds(config.slope),
    )


def _margin(market_id: int, held: CurrentMargin) -> MarketMargin:
    return MarketMargin(
        market_id=market_id,
        initial_long_ppm=held.initial_long,
        initial_short_ppm=held.initial_short,
        maintenance_long_ppm=held.maintenance_long,
        maintenance_short_ppm=held.maintenance_short,
        slope_long_ppm=held.slope_long,
        slope_short_ppm=held.slope_short,
    )


def _timing(timing: margin_oracle.Timing) -> Timing:
    return Timing(
        heartbeat_seconds=timing.heartbeat_seconds,
        dwell_seconds=timing.dwell_seconds,
        minimum_delay_seconds=timing.minimum_delay_seconds,
    )


def _bounds(bounds: margin_oracle.Bounds) -> Bounds:
    return Bounds(
        minimum=bounds.minimum,
        maximum=bounds.maximum,
        step_relative_ppm=bounds.step_relative_ppm,
        step_minimum=bounds.step_minimum,
        rise_hourly=bounds.rise_hourly,
        fall_hourly=bounds.fall_hourly,
    )
