"""Accounts read per second: the snapshot reader next to one-by-one reads with web3, in one run on one local chain.

The chain holds 100,000 accounts with 4 positions each, seeded through transactions. One-by-one reads are given their
best case: one view call for a whole account (`bookAt`), a pinned block, web3's own defaults.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from web3 import HTTPProvider, Web3

from oracle.chain.client import ChainClient, RequestLimits
from oracle.chain.contract import Contract, load_artefact
from oracle.chain.devnet import Devnet, mine, set_automine
from oracle.chain.transactor import SendingRules, Transactor
from oracle.snapshot import read_snapshot
from oracle.types import AccountBook
from scripts.benchmarks.harness import Goal, Outcome
from tests.venue import INSTRUMENTS, Venue, deploy_venue

ACCOUNTS = 100_000
POSITIONS = 4
SAMPLE = 200
ROUNDS = 5
GOAL_RATIO = 50.0
ACCOUNTS_PER_TRANSACTION = 100
TRANSACTIONS_PER_BLOCK = 100
SEED_GAS = 16_500_000
"""Below the largest gas of one transaction (EIP-7825)."""
BLOCK_GAS = 2 * TRANSACTIONS_PER_BLOCK * SEED_GAS

_SEED = np.dtype(
    [
        ("address", "u1", (20,)),
        ("cash", ">i8"),
        ("count", "u1"),
        ("positions", [("instrument", ">u4"), ("size", ">i8")], (POSITIONS,)),
    ]
)


@dataclass(frozen=True)
class Reading:
    """One way of reading, in accounts per second."""

    name: str
    accounts: int
    seconds: float

    @property
    def rate(self) -> float:
        """Accounts per second."""
        return self.accounts / self.seconds


def draw_seeds(accounts: int) -> NDArray[np.void]:
    """Return distinct accounts as `DemoExchange.seedAccounts` packs them, the same each time."""
    source = np.random.default_rng(7)
    seeds = np.zeros(accounts, dtype=_SEED)
    seeds["address"] = source.integers(0, 256, (accounts, 20), dtype=np.uint8)
    seeds["cash"] = source.integers(10**9, 10**12, accounts)
    seeds["count"] = POSITIONS
    order = np.argsort(source.random((accounts, INSTRUMENTS)), axis=1)
    seeds["positions"]["instrument"] = order[:, :POSITIONS]
    seeds["positions"]["size"] = source.integers(1, 10**8, (accounts, POSITIONS)) * 2 - 10**8 - 1
    return seeds


def seed_venue(client: ChainClient, owner: str, exchange: Contract, seeds: NDArray[np.void]) -> None:
    """Seed through the node's own key: one execution a transaction, where a transactor needs three."""
    starts = range(0, len(seeds), ACCOUNTS_PER_TRANSACTION)
    set_automine(client, False)
    for number, start in enumerate(track(starts, f"seeding {len(seeds):,} accounts", console=Console(stderr=True)), 1):
        data = exchange.interface.encode("seedAccounts", seeds[start : start + ACCOUNTS_PER_TRANSACTION].tobytes())
        transaction = {"from": owner, "to": exchange.address, "data": "0x" + data.hex(), "gas": hex(SEED_GAS)}
        client.request("eth_sendTransaction", [transaction], str)
        # Few large blocks: Anvil keeps a copy of the whole state for each.
        if number % TRANSACTIONS_PER_BLOCK == 0:
            mine(client)
    mine(client)
    set_automine(client, True)


def read_one_by_one(url: str, venue: Venue, book: AccountBook, accounts: int) -> Reading:
    """Read the first accounts with web3 contract calls, and check that they equal the book's."""
    exchange = Web3(HTTPProvider(url)).eth.contract(
        address=Web3.to_checksum_address(venue.exchange.address), abi=load_artefact("DemoExchange").abi
    )
    block = "0x" + venue.stamp.hash.hex()
    started = time.perf_counter()
    own = [exchange.functions.bookAt(index).call(block_identifier=block) for index in range(accounts)]  # type: ignore[arg-type]
    seconds = time.perf_counter() - started
    for index, (address, _, positions) in enumerate(own):
        part = slice(int(book.indptr[index]), int(book.indptr[index + 1]))
        held = list(zip(book.instrument_id[part].tolist(), book.size_lots[part].tolist(), strict=True))
        if bytes.fromhex(address[2:]) != book.address[index].tobytes() or [tuple(p[:2]) for p in positions] != held:
            raise ValueError(f"account {index} differs: {address} {positions}, read {held}")
    return Reading("web3, one call an account", accounts, seconds)


def measure(accounts: int = ACCOUNTS, sample: int = SAMPLE) -> list[Reading]:
    """Start a chain, seed it, and return the median readings: by state override, by deployed lens, one by one."""
    seeds = draw_seeds(accounts)
    readings: list[list[Reading]] = []
    with Devnet(gas_limit=BLOCK_GAS) as devnet:
        client = devnet.client(limits=RequestLimits(timeout_seconds=60.0))
        deployer = Transactor(client, devnet.accounts[0], SendingRules(poll_seconds=0.01))
        venue = deploy_venue(deployer, lambda exchange: seed_venue(client, deployer.address, exchange, seeds))
        for _ in track(range(ROUNDS), "reading in turn", console=Console(stderr=True)):
            override, _ = read_whole(client, venue, deployed_lens=False)
            deployed, book = read_whole(client, venue, deployed_lens=True)
            if not np.array_equal(book.size_lots, seeds["positions"]["size"].ravel()):
                raise ValueError("the book that was read is not the one that was seeded")
            readings.append([override, deployed, read_one_by_one(devnet.url, venue, book, sample)])
    return [sorted(same, key=lambda one: one.seconds)[ROUNDS // 2] for same in zip(*readings, strict=True)]


def read_whole(client: ChainClient, venue: Venue, *, deployed_lens: bool) -> tuple[Reading, AccountBook]:
    """Read a whole snapshot, prices and the oracle's state and all checks included."""
    settings = venue.settings(deployed_lens=deployed_lens)
    started = time.perf_counter()
    snapshot = read_snapshot(client, settings, venue.stamp, venue.stamp.timestamp // 3_600 - 24)
    seconds = time.perf_counter() - started
    name = "snapshot, lens deployed" if deployed_lens else "snapshot, lens by state override"
    return Reading(name, len(snapshot.book), seconds), snapshot.book


def run() -> Outcome:
    """Return accounts per second of each way, and the ratio that the goal is about.

    Wall time, unlike the other benchmarks: most of the work is the node's, and both ways wait for it.
    """
    *snapshots, one_by_one = readings = measure()
    table = Table("", "accounts", "seconds", "accounts/s", "x one by one", title="Reading a book at one block")
    for one in readings:
        ratio = one.rate / one_by_one.rate
        table.add_row(one.name, f"{one.accounts:,}", f"{one.seconds:.2f}", f"{one.rate:,.0f}", f"{ratio:.0f}")
    slowest = min(snapshot.rate for snapshot in snapshots) / one_by_one.rate
    return Outcome([table], [Goal("accounts/s of a whole snapshot, times one-by-one reads", slowest, GOAL_RATIO)])
