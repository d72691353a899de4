"""What one valuation of a given size costs: a random book on a simulated history, from pricing to a proof."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import engine
from engine.streaming import BLOCK_ACCOUNTS
from engine.validation.random_book import SYMBOLS, RandomBook, counter_bits, invented_instruments, invented_market
from engine.validation.simulated_history import simulate_history
from oracle.errors import BadConfiguration
from oracle.merkle import accounts_tree
from oracle.types import AccountBook, AccountRequirements, Labels
from oracle.units import usd_to_micro_up

DEFAULT_SCENARIOS = 8_760
"""Paths of a library of four years."""
BLOCKS_A_WORKER = 4
LEAST_SCENARIOS = 450
"""A shorter history has too few observations for what is fitted to its tails."""
_FIRST_HOUR, _SEED, _HISTORY_MARGIN_HOURS = 400_000, 20_260_101, 1_000
_ADDRESS_BYTES = 20

Inputs = tuple[
    engine.Calibration,
    list[engine.RecentPrices],
    engine.MarketState,
    engine.Instruments,
    engine.ModelConfiguration,
]
"""What `engine.price_market` takes, in its order."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a valuation is.

    Parameters
    ----------
    accounts, positions : int
        Accounts, and positions of each.
    instruments : int
        A multiple of five.
    scenarios : int
        Historical paths, in steps of four hours, plain and stretched, at both horizons; at least `LEAST_SCENARIOS`.
    workers : int
        Worker processes; 0 charges in this one.
    threads : int
        Of this process.
    """

    accounts: int
    positions: int = 20
    instruments: int = 600
    scenarios: int = DEFAULT_SCENARIOS
    workers: int = 0
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """What it cost; CPU seconds and memory are those of all processes, starts and loading of kernels apart.

    Attributes
    ----------
    pricing_cpu_seconds : float
        0 with workers: each prices for itself, within the charging.
    charging_cpu_seconds : float
        Drawing the book included.
    tree_cpu_seconds : float
        Leaves, root and one proof.
    wall_seconds : float
        From the pricing to the proof.
    peak_bytes : int
        Largest resident memory of the processes, added up.
    root : str
        Accounts root, 0x and 64 hexadecimal digits: the same for every number of workers and threads.
    """

    size: Size
    pricing_cpu_seconds: float
    charging_cpu_seconds: float
    tree_cpu_seconds: float
    wall_seconds: float
    peak_bytes: int
    root: str


def measure(size: Size) -> Measurement:
    """Value a random book of a size; meant for a fresh process, whose peak of memory is then that of the size alone.

    Raises
    ------
    BadConfiguration
        If a number is out of range, or workers are asked for and the extra `cluster` is not installed.
    """
    try:
        return _measured(size)
    except engine.InvalidInput as error:
        raise BadConfiguration(str(error), "choose another size") from error


def _measured(size: Size) -> Measurement:
    given = _inputs(size)
    book = RandomBook(given[3], given[2], size.accounts, size.positions, _SEED)
    with ExitStack() as stack:
        cluster = _cluster() if size.workers else None
        client = stack.enter_context(cluster.local_workers(size.workers)) if cluster else None
        warm_up(given)
        if client is not None:
            client.run(warm_up, given)
        started, cpu = time.perf_counter(), [_over_all(client, time.process_time)]
        if cluster:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            # several blocks a worker, so that none waits long for the last one
            share = -(-size.accounts // (BLOCKS_A_WORKER * size.workers))
            stored = cluster.store_book(folder / "book", book.blocks(min(cluster.BLOCK_ACCOUNTS, share)))
            blocks = cluster.charge_on_workers(client, cluster.store_market(folder / "market", *given), stored)
        else:
            blocks = engine.charge_blocks(
                engine.price_market(*given, threads=size.threads), book.blocks(BLOCK_ACCOUNTS)
            )
        cpu.append(cpu[0] if cluster else time.process_time())
        requirements = _rounded(blocks, size.accounts)
        cpu.append(_over_all(client, time.process_time))
        root = _root_and_proof(requirements)
        cpu.append(_over_all(client, time.process_time))
        wall = time.perf_counter() - started
        pricing, charging, tree = np.diff(cpu).tolist()
        peak = int(_over_all(client, peak_bytes))
        return Measurement(size, pricing, charging, tree, wall, peak, "0x" + root.hex())


def warm_up(given: Inputs) -> None:
    """Load every kernel, or compile it, by valuing a few accounts on the same inputs."""
    few = RandomBook(given[3], given[2], accounts=64, positions=20)
    blocks = engine.charge_blocks(engine.price_market(*given), few.blocks(few.accounts))
    _root_and_proof(_rounded(blocks, few.accounts))


def peak_bytes() -> int:
    """Return the largest resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    # elsewhere what the starting process had counts too, and the unit is the system's
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _inputs(size: Size) -> Inputs:
    model = engine.ModelConfiguration()
    step = engine.CalibrationSettings().path_step_hours
    library = step * (size.scenarios - 1) + model.initial_horizon_hours
    settings = engine.CalibrationSettings(
        library_hours=library, minimum_history_hours=min(library, engine.CalibrationSettings().minimum_history_hours),
        replicates=20,
    )  # fmt: skip
    past = simulate_history(SYMBOLS, _FIRST_HOUR, library + _HISTORY_MARGIN_HOURS, _SEED)
    calibration = engine.calibrate(past.prices, past.volatility, settings)
    market = invented_market(np.array([int(prices.close_e8[-1]) / 1e8 for prices in past.prices]))
    nothing = np.empty(0, dtype=np.int64)
    recent = [engine.RecentPrices(symbol, nothing, nothing) for symbol in SYMBOLS]
    return calibration, recent, market, invented_instruments(market, size.instruments), model


def _rounded(blocks: Iterator[engine.AccountRequirements], accounts: int) -> AccountRequirements:
    """Keep of each account what its leaf needs."""
    initial, maintenance = np.empty(accounts, dtype=np.int64), np.empty(accounts, dtype=np.int64)
    binding = np.empty(accounts, dtype=np.int8)
    first = 0
    for block in blocks:
        rows = slice(first, first + block.initial.size)
        initial[rows], maintenance[rows] = usd_to_micro_up(block.initial), usd_to_micro_up(block.maintenance)
        binding[rows] = block.binding
        first = rows.stop
    return AccountRequirements(
        initial, maintenance, np.zeros(accounts, dtype=np.int64), Labels(engine.COMPONENTS, binding)
    )


def _root_and_proof(requirements: AccountRequirements) -> bytes:
    accounts = len(requirements.initial_micro)
    words = counter_bits(_SEED, np.arange(3 * accounts, dtype=np.uint64)).reshape(-1, 3)
    book = AccountBook(
        address=np.ascontiguousarray(words.view(np.uint8)[:, :_ADDRESS_BYTES]),
        position_version=np.arange(accounts, dtype=np.uint64),
        cash_micro=np.zeros(accounts, dtype=np.int64),
        indptr=np.zeros(accounts + 1, dtype=np.int64),
        instrument_id=np.empty(0, dtype=np.int32),
        size_lots=np.empty(0, dtype=np.int64),
    )
    tree = accounts_tree(bytes(32), 1, book, requirements)
    tree.proof(accounts // 2)
    return tree.root


def _over_all(client: Any, figure: Callable[[], float]) -> float:
    """Return a figure of this process, with those of the workers added."""
    return figure() + (sum(client.run(figure).values()) if client is not None else 0.0)


def _cluster() -> Any:
    try:
        from oracle.valuation import cluster
    except ModuleNotFoundError as error:
        raise BadConfiguration(f"workers need {error.name}", "install the extra: pip install -e .[cluster]") from None
    return cluster
