"""Computes a whole report without a chain and prints the hash of its bytes; run in a fresh process by the tests.

    python tests/report_bytes.py calibrate ARTEFACT     write an artefact of a simulated history
    python tests/report_bytes.py report ARTEFACT THREADS

The book is drawn from a fixed seed with whole numbers only, so two processes differ by the engine alone.
"""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path

import numpy as np

from oracle import report as reports
from oracle.config import ModelSettings
from oracle.demo.catalogue import SYMBOLS, instruments
from oracle.types import (
    AccountBook,
    BlockStamp,
    OracleState,
    PriceRounds,
    Snapshot,
    SurfaceSlice,
    Timing,
    Underlying,
    Valuation,
)
from oracle.units import SECONDS_PER_HOUR
from oracle.valuation import calibrate, evaluate, load_calibration, save_calibration, simulate_history

LAST_HOUR = 480_000
HOURS = 2 * 365 * 24
SINCE_HOURS = 30
ACCOUNTS = 400
NODES_PPM = (900_000, 780_000, 690_000, 640_000, 635_000, 660_000, 730_000)


def write_artefact(path: Path) -> None:
    """Calibrate on a simulated history and write the artefact."""
    prices, volatility = simulate_history(SYMBOLS, LAST_HOUR - HOURS + 1, HOURS, seed=11)
    save_calibration(path, calibrate(prices, volatility, ModelSettings()))


def snapshot() -> Snapshot:
    """Return a snapshot that no chain ever had."""
    timestamp = (LAST_HOUR + SINCE_HOURS) * SECONDS_PER_HOUR + 1_234
    hours = np.arange(LAST_HOUR, LAST_HOUR + SINCE_HOURS + 1)
    prices = [
        base + base * (np.arange(len(hours)) * 7919 % 101 - 50) // 2_500
        for base in (210_000_000_000, 2_800_000_000_000)
    ]
    spot = tuple(int(series[-1]) for series in prices)
    listed = instruments(spot, timestamp)
    dated = sorted({(i.underlying, i.expiry_timestamp) for i in listed if i.expiry_timestamp})
    return Snapshot(
        chain_id=1,
        stamp=BlockStamp(1_000, b"\1" * 32, b"\2" * 32, timestamp),
        oracle=OracleState("0x" + "11" * 20, 1, b"\3" * 32, 0, 0, 0, Timing(3_600, 0, 0), False, ()),
        underlyings=tuple(
            Underlying(symbol, "0x" + "22" * 20, price, int(hours[-1]) * SECONDS_PER_HOUR, 31, 20, 100)
            for symbol, price in zip(SYMBOLS, spot, strict=True)
        ),
        instruments=listed,
        slices=tuple(SurfaceSlice(u, expiry, NODES_PPM, 40_000, timestamp - 60) for u, expiry in dated),
        rounds=tuple(PriceRounds(hours * SECONDS_PER_HOUR, series) for series in prices),
        book=_book(len(listed)),
    )


def _book(instrument_count: int) -> AccountBook:
    source = random.Random(5)
    held = [sorted(source.sample(range(instrument_count), source.randint(0, 8))) for _ in range(ACCOUNTS)]
    flat = [instrument for row in held for instrument in row]
    return AccountBook(
        address=np.frombuffer(source.randbytes(20 * ACCOUNTS), dtype=np.uint8).reshape(ACCOUNTS, 20),
        position_version=np.arange(1, ACCOUNTS + 1, dtype=np.uint64),
        cash_micro=np.array([source.randint(-(10**9), 10**12) for _ in range(ACCOUNTS)], dtype=np.int64),
        indptr=np.concatenate([[0], np.cumsum([len(row) for row in held])]).astype(np.int64),
        instrument_id=np.array(flat, dtype=np.int32),
        size_lots=np.array([source.choice((-1, 1)) * source.randint(1, 10**10) for _ in flat], dtype=np.int64),
    )


def digest(value: Valuation, taken: Snapshot) -> str:
    """Return the hash of the report's digest, its details and every account's integers."""
    report = reports.build(taken, value, 600)
    parts = (
        reports.digest(report, reports.domain_of(taken)),
        reports.canonical_json(value.details).encode(),
        value.accounts.initial_micro.tobytes(),
        value.accounts.maintenance_micro.tobytes(),
        value.accounts.equity_micro.tobytes(),
        ",".join(value.accounts.binding).encode(),
    )
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def main() -> None:
    """Do what the arguments say."""
    action, path = sys.argv[1], Path(sys.argv[2])
    if action == "calibrate":
        write_artefact(path)
        return
    taken = snapshot()
    print(digest(evaluate(taken, load_calibration(path), ModelSettings(), threads=int(sys.argv[3])), taken))


if __name__ == "__main__":
    main()
