"""The demonstration's story: three cycles at three prices, a proof, a refusal and a liquidation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from rich.console import Console

from oracle import report as reports
from oracle.chain.submission import execute
from oracle.cycle import CycleResult, run_cycle
from oracle.demo.catalogue import markets
from oracle.demo.display import cycle_json, usd
from oracle.demo.stage import Stage, open_stage
from oracle.demo.world import fund, move_prices, perpetual
from oracle.errors import CallReverted, Refused
from oracle.readers.oracle_state import read_oracle_state
from oracle.scheduler import Daemon
from oracle.types import Update
from oracle.units import LOTS_PER_CONTRACT, MICRO_PER_USD, SECONDS_PER_HOUR, WAD_PER_MICRO_USD, wad_to_micro_up

MOVES_PPM = ((-20_000, -15_000), (-100_000, -75_000))
"""Moves of ETH and BTC before the second and the third cycle; together they take a long at its initial margin below its
maintenance margin."""
LEVERAGED_DEPOSIT_MICRO = 20_000 * MICRO_PER_USD
TRADER_DEPOSIT_MICRO = 1_000 * MICRO_PER_USD
TRADER_CONTRACTS = 50
DRIFT_PPM = (1_500, -1_000, -2_000, 2_500, -800, 300)
"""What prices do from tick to tick while the chain is only served."""


def run_demo(
    console: Console, history: Path | None, rpc: str, chain_id: int, serve: bool, as_json: bool, directory: Path | None
) -> int:
    """Run the whole story and return the exit code; see `margin-oracle demo --help`.

    Raises
    ------
    OracleError
        If any part of the main job fails; the demonstration then ends non-zero.
    """
    with open_stage(console, history, rpc, chain_id, directory) as stage:
        outcome = _tell(stage)

        def end() -> None:
            if as_json:
                print(json.dumps(outcome), flush=True)

        if serve:
            return _serve(stage, end)
        end()
        return 0


def run_devnet(console: Console, history: Path | None, directory: Path | None) -> int:
    """Bring up chain, contracts and one posted report, keep them up, and return the exit code."""
    with open_stage(console, history, "", 31_337, directory) as stage:
        _cycle(stage, 1)
        return _serve(stage, lambda: None)


def _tell(stage: Stage) -> dict[str, object]:
    first = _cycle(stage, 1)
    proof_accepted = _show_proof(stage, first)
    opening_refused = _show_refusal(stage)
    _open_leveraged(stage)
    results = [first]
    for number, moves in enumerate(MOVES_PPM, start=2):
        stage = _move(stage, moves)
        results.append(_cycle(stage, number))
    liquidated = _show_liquidation(stage)
    return {
        "chain_id": stage.world.client.chain_id,
        "oracle": stage.world.deployment.oracle.address,
        "history": stage.past.label.split()[0],
        "cycles": [cycle_json(result) for result in results],
        "proof_accepted": proof_accepted,
        "opening_refused": opening_refused,
        "liquidated": liquidated,
    }


def _cycle(stage: Stage, number: int) -> CycleResult:
    """Run one cycle that posts, and show everything about it."""
    display = stage.display
    with display.cycle(number) as progress:
        result = run_cycle(stage.keeper, progress)
    if not isinstance(result.decision, Update) or result.posting is None:
        raise Refused(f"cycle {number} held: {result.decision.reason}", "the demonstration expects a post here")
    names = {market.market_id: market.name for market in markets()}
    client, oracle = stage.world.client, stage.world.deployment.oracle
    display.prices(result.draft.snapshot)
    display.markets(read_oracle_state(client, oracle.address, sorted(names), client.head()).markets, names)
    display.accounts(result.draft.snapshot.book, result.draft.valuation.accounts)
    display.report(result, result.decision.report)
    return result


def _move(stage: Stage, moves_ppm: tuple[int, int]) -> Stage:
    """Let an hour pass and prices move."""
    hour = stage.world.client.head().timestamp // SECONDS_PER_HOUR + 1
    with stage.display.step("an hour passes, prices move by " + ", ".join(f"{m / 10_000:+.0f} %" for m in moves_ppm)):
        return replace(stage, world=move_prices(stage.world, hour * SECONDS_PER_HOUR, moves_ppm))


def _show_proof(stage: Stage, result: CycleResult) -> bool:
    """A hedged account opens more with the proof of its own requirement than the ratios would let it."""
    world, hedged = stage.world, stage.world.actors.hedged
    tree = reports.accounts_of(result.draft.snapshot, result.draft.valuation)
    addresses = ["0x" + raw.tobytes().hex() for raw in result.draft.snapshot.book.address]
    account = addresses.index(hedged.address.lower())
    leaf, proof = tree.leaf(account), tree.proof(account)
    packed_leaf = (
        leaf.account_key,
        leaf.position_version,
        leaf.initial_wad,
        leaf.maintenance_wad,
        leaf.reference_block,
    )
    head = world.client.head()
    world.deployment.oracle.call(head, "verifyAccount", packed_leaf, list(proof), False)
    by_ratios = int(world.deployment.exchange.call(head, "initialByRatiosWad", hedged.address))
    size = LOTS_PER_CONTRACT // 10
    instrument = perpetual(world, 0).instrument_id
    receipt = execute(hedged, world.deployment.exchange, "tradeWithProof", instrument, size, packed_leaf, list(proof))
    stage.display.say(
        f"proof of {len(proof)} nodes accepted: account {hedged.address} needs "
        f"{usd(leaf.initial_wad // WAD_PER_MICRO_USD)} USD by proof, {usd(wad_to_micro_up(by_ratios))} by ratios, "
        f"and traded 0.1 ETH with it ({receipt.gas_used:,} gas)"
    )
    return receipt.succeeded


def _show_refusal(stage: Stage) -> bool:
    """A trader with little cash asks for a position that is too large."""
    world, trader = stage.world, stage.world.actors.trader
    fund(world, trader, TRADER_DEPOSIT_MICRO)
    instrument = perpetual(world, 0).instrument_id
    try:
        execute(trader, world.deployment.exchange, "trade", instrument, TRADER_CONTRACTS * LOTS_PER_CONTRACT)
    except CallReverted as error:
        if "InsufficientMargin" not in error.message:
            raise
        stage.display.say(
            f"refused for lack of initial margin: {TRADER_CONTRACTS} ETH perpetual with "
            f"{usd(TRADER_DEPOSIT_MICRO)} USD: {error.message}"
        )
        return True
    raise Refused("the venue let a position without initial margin through", "report this")


def _open_leveraged(stage: Stage) -> None:
    """An account opens as much as its initial margin allows."""
    world, leveraged = stage.world, stage.world.actors.leveraged
    fund(world, leveraged, LEVERAGED_DEPOSIT_MICRO)
    instrument = perpetual(world, 0)
    lots = _largest_affordable_lots(stage, instrument.market_id)
    execute(leveraged, world.deployment.exchange, "trade", instrument.instrument_id, lots)
    stage.display.say(
        f"account {leveraged.address} went long {lots / LOTS_PER_CONTRACT:.2f} ETH with "
        f"{usd(LEVERAGED_DEPOSIT_MICRO)} USD"
    )


def _largest_affordable_lots(stage: Stage, market_id: int) -> int:
    """Return the most lots whose initial requirement the deposit covers, to 1 % of the notional."""
    world = stage.world
    head = world.client.head()
    deposit_wad = LEVERAGED_DEPOSIT_MICRO * WAD_PER_MICRO_USD
    low, high = 0, 50 * deposit_wad
    while high - low > deposit_wad // 100:
        middle = (low + high) // 2
        needed = world.deployment.oracle.call(head, "requirement", market_id, True, middle, 0)
        low, high = (middle, high) if needed <= deposit_wad else (low, middle)
    wad_per_lot = world.spot_e8[0] * 100
    return low // wad_per_lot


def _show_liquidation(stage: Stage) -> bool:
    """The leveraged account fell below its maintenance margin; anyone may close it."""
    world, leveraged = stage.world, stage.world.actors.leveraged
    exchange, head = world.deployment.exchange, world.client.head()
    equity = int(exchange.call(head, "equityMicro", leveraged.address))
    maintenance = wad_to_micro_up(int(exchange.call(head, "maintenanceByRatiosWad", leveraged.address)))
    receipt = execute(world.actors.liquidator, exchange, "liquidate", leveraged.address)
    stage.display.say(
        f"liquidated for lack of maintenance margin: account {leveraged.address} had {usd(equity)} USD equity, "
        f"{usd(maintenance)} were needed ({receipt.gas_used:,} gas)"
    )
    return receipt.succeeded


def _serve(stage: Stage, ready: Callable[[], None]) -> int:
    """Keep prices moving and the keeper posting until interrupted; return the exit code."""
    for name, address in stage.world.addresses().items():
        stage.display.say(f"{name}: {address}")
    stage.display.say(f"RPC URL: {stage.url} (chain id {stage.world.client.chain_id})")
    stage.display.say(f"configuration: {stage.settings.directory / 'oracle.toml'}")
    stage.display.say(f"journal, keys and calibration: {stage.settings.directory}")

    def can_be_stopped() -> None:
        stage.display.say("stop with Ctrl-C or SIGTERM")
        ready()

    return Daemon(_market_and_keeper(stage), stage.settings.schedule).run(can_be_stopped)


def _market_and_keeper(stage: Stage) -> Callable[[], None]:
    world, drift = stage.world, cycle(DRIFT_PPM)

    def tick() -> None:
        nonlocal world
        world = move_prices(world, world.client.head().timestamp, (next(drift), next(drift)))
        run_cycle(stage.keeper)

    return tick
