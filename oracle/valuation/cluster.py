"""The same partition of accounts on `distributed` workers (extra `cluster`): the bytes of `engine.charge_blocks`.

The book lies in a file that every worker can open; a task names a stretch of it and the hash of what it must say. A
worker copies the stretch out of a memory map, hashes the copy and charges that copy, so it never computes on what a
path happens to hold. Inputs of the pricing are one file with one hash, read by each worker once; pricing again costs
less than sending the tables. A block whose worker dies is charged again elsewhere: nothing that it needs was in the
worker.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedWriter
from pathlib import Path
from typing import Any

import dask
import numpy as np
from distributed import Client, LocalCluster

import engine
from oracle.errors import BadData

BLOCK_ACCOUNTS = 10_000
"""Accounts of a task: seconds of work, and a result of half a megabyte."""
RETRIES = 3
"""How often a block is charged again."""
_REMEDY = "store it again: it was changed or cut short"


@dataclass(frozen=True, slots=True)
class Stored:
    """A stretch of a file, and the sha256 (hex) of its bytes."""

    path: str
    offset: int
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block of a book, and what number its first account has."""

    first_account: int
    content: Stored


def store_market(
    path: Path,
    calibration: engine.Calibration,
    recent: Sequence[engine.RecentPrices],
    market: engine.MarketState,
    instruments: engine.Instruments,
    model: engine.ModelConfiguration,
) -> Stored:
    """Write the inputs of `engine.price_market` to a file."""
    with path.open("wb") as file:
        return _append(file, (calibration, tuple(recent), market, instruments, model))


def store_book(path: Path, blocks: Iterable[engine.AccountBlock]) -> tuple[StoredBlock, ...]:
    """Write a book that comes block by block to a file; each of its blocks becomes a task."""
    stored, first_account = [], 0
    with path.open("wb") as file:
        for block in blocks:
            stored.append(StoredBlock(first_account, _append(file, block)))
            first_account += len(block)
    return tuple(stored)


def charge_on_workers(
    client: Client, market: Stored, book: Sequence[StoredBlock]
) -> Iterator[engine.AccountRequirements]:
    """Yield the requirements of each block of a stored book, in the book's order.

    Parameters
    ----------
    client : distributed.Client
        Its workers see the files under the same paths and run this version of the code.
    market : Stored
        From `store_market`.
    book : sequence of StoredBlock
        From `store_book`.

    Raises
    ------
    BadData
        If a file does not say what its hash says.
    engine.EngineError
        As `engine.charge_blocks`.
    """
    # a path may hold another book next time: a result must not be taken for one of before
    futures = [client.submit(_charge, market, block, retries=RETRIES, pure=False) for block in book]
    try:
        while futures:
            yield futures.pop(0).result()
    finally:
        if client.status == "running":
            client.cancel(futures)


@contextmanager
def local_workers(count: int) -> Iterator[Client]:
    """Start so many worker processes of one thread each, reachable on loopback alone, without a dashboard."""
    no_pages: dict[str, list[str]] = {f"distributed.{side}.http.routes": [] for side in ("scheduler", "worker")}
    with (
        dask.config.set(no_pages),
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _charge(market: Stored, block: StoredBlock) -> engine.AccountRequirements:
    return next(engine.charge_blocks(_priced(market), [_load(block.content)], block.first_account))


@lru_cache(maxsize=1)
def _priced(market: Stored) -> engine.PricedMarket:
    return engine.price_market(*_load(market))


def _append(file: BufferedWriter, record: object) -> Stored:
    content, offset = pickle.dumps(record), file.tell()
    file.write(content)
    return Stored(file.name, offset, len(content), hashlib.sha256(content).hexdigest())


def _load(stored: Stored) -> Any:
    """Return what was stored; the hash comes first, since a pickle can run anything."""
    try:
        content = np.memmap(stored.path, np.uint8, "r", stored.offset, stored.length).tobytes()
    except (OSError, ValueError) as error:
        raise BadData(f"{stored.path} cannot be read from byte {stored.offset} on: {error}", _REMEDY) from None
    found = hashlib.sha256(content).hexdigest()
    if found != stored.sha256:
        where = f"{stored.path}, {stored.length} bytes from {stored.offset} on"
        raise BadData(f"{where}: the sha256 is {found}, not {stored.sha256}", _REMEDY)
    return pickle.loads(content)
