"""A book charged by worker processes: the bytes of one process, a killed worker's blocks too; files that lie."""

from __future__ import annotations

import os
import pickle
import signal
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest
import requests

from engine import AccountBlock, Kind, ModelConfiguration, NonFiniteResult, Unmodelled, UnmodelledAccount, evaluate
from engine.evaluation import AccountRequirements
from engine.streaming import cut_into_blocks, join_blocks
from engine.validation.random_book import RandomBook
from oracle.errors import BadData
from tests import model_cases
from tests.test_engine.test_model_margin import BOOKS

pytest.importorskip("distributed", reason="needs the extra `cluster`: pip install -e .[cluster]")
import psutil

from oracle.valuation import cluster

STATE = model_cases.market()
BOOK = model_cases.book(*(BOOKS * 300))


def inputs():
    recent = model_cases.no_recent("BTC", "ETH")
    return model_cases.small_calibration(), recent, STATE, model_cases.catalogue(STATE), ModelConfiguration()


def store(folder: Path, book=BOOK, accounts: int = 50) -> tuple[cluster.Stored, tuple[cluster.StoredBlock, ...]]:
    market = cluster.store_market(folder / "market", *inputs())
    return market, cluster.store_book(folder / "book", cut_into_blocks(AccountBlock(book), accounts))


def all_bytes(requirements: AccountRequirements) -> dict[str, bytes]:
    return {one.name: getattr(requirements, one.name).tobytes() for one in fields(requirements)}


@pytest.mark.slow
def test_a_killed_worker_changes_no_byte(tmp_path: Path) -> None:
    calibration, recent, state, listed, model = inputs()
    # Seconds of work, so that the kill comes in the middle of it.
    large = RandomBook(listed, state, accounts=2_000, positions=20).block(0, 2_000)
    market, book = store(tmp_path, large, 100)
    with cluster.local_workers(2) as client:
        process = client.run(os.getpid)
        results = cluster.charge_on_workers(client, market, book)
        blocks = [next(results)]
        victim, waiting = max(client.processing().items(), key=lambda item: len(item[1]))
        assert len(waiting) > 0
        os.kill(process[victim], signal.SIGKILL)
        blocks += results
        assert process[victim] not in client.run(os.getpid).values()
    whole = evaluate(calibration, recent, state, listed, large, model)
    assert len(blocks) == len(book) == 20
    assert all_bytes(join_blocks(blocks)) == all_bytes(whole.accounts)


@pytest.mark.slow
def test_nothing_listens_beyond_loopback_and_no_page_is_served() -> None:
    with cluster.local_workers(1) as client:
        listening = listeners().union(*client.run(listeners).values())
        port = client.cluster.scheduler.http_server.port
        answer = requests.get(f"http://127.0.0.1:{port}/json/identity.json", timeout=10)
    assert len(listening) >= 3 and {host for host, _ in listening} == {"127.0.0.1"}
    assert answer.status_code == 404


def listeners() -> set[tuple[str, int]]:
    """Where this process listens."""
    connections = psutil.Process().net_connections(kind="inet")
    return {tuple(one.laddr) for one in connections if one.status == psutil.CONN_LISTEN}


@pytest.mark.slow
def test_a_worker_refuses_what_is_not_as_hashed_and_names_an_account_by_its_place_in_the_book(tmp_path: Path) -> None:
    good, huge = tmp_path / "good", tmp_path / "huge"
    good.mkdir()
    huge.mkdir()
    market, book = store(good, model_cases.book(*BOOKS), 3)
    _, overflowing = store(huge, model_cases.book(*BOOKS, {0: 1e300}), 3)
    with cluster.local_workers(1) as client:
        with pytest.raises(NonFiniteResult, match="^counting from account 6: account 1: its profit is not finite"):
            list(cluster.charge_on_workers(client, market, overflowing))
        flip(good / "book", 3)
        with pytest.raises(BadData, match="bytes from 0 on: the sha256 is"):
            list(cluster.charge_on_workers(client, market, book))


@pytest.mark.slow
def test_an_account_that_may_not_be_published_is_named_from_a_worker_too(tmp_path: Path) -> None:
    lacking = Unmodelled(
        np.array([Kind.CALL], np.int8), np.ones(1), np.ones(1), np.ones(1), np.zeros(1, bool), ("no slice",),
        model_cases.book({}, {}, {}, {0: 1.0}, {0: -2.0}),
    )  # fmt: skip
    block = AccountBlock(model_cases.book(*BOOKS[:5]), unmodelled=lacking)
    market = cluster.store_market(tmp_path / "market", *inputs())
    book = cluster.store_book(tmp_path / "book", cut_into_blocks(block, 2))
    with cluster.local_workers(1) as client:
        results = cluster.charge_on_workers(client, market, book)
        assert [next(results).initial.size for _ in range(2)] == [2, 2]
        with pytest.raises(UnmodelledAccount, match="^account 4: it is short 2 of a call") as caught:
            next(results)
    assert caught.value.account == 4 and "nothing bounds its loss" in caught.value.why


def flip(path: Path, byte: int) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


@pytest.mark.fast
def test_blocks_read_back_are_the_book(tmp_path: Path) -> None:
    _, stored = store(tmp_path, accounts=37)
    first = 0
    for block, given in zip(stored, cut_into_blocks(AccountBlock(BOOK), 37), strict=True):
        found = cluster._load(block.content).positions
        for name in ("indptr", "instrument", "quantity"):
            assert getattr(found, name).tobytes() == getattr(given.positions, name).tobytes()
        assert block.first_account == first
        first += len(given)
    _, empty = store(tmp_path, model_cases.book())
    assert len(cluster._load(empty[0].content)) == 0


@pytest.mark.fast
def test_a_byte_that_changed_is_noticed_by_its_block_alone(tmp_path: Path) -> None:
    _, stored = store(tmp_path, accounts=37)
    flip(tmp_path / "book", stored[1].content.offset + 300)
    cluster._load(stored[0].content)
    cluster._load(stored[2].content)
    with pytest.raises(BadData, match=f"bytes from {stored[1].content.offset} on: the sha256 is"):
        cluster._load(stored[1].content)
    with pytest.raises(BadData, match="the sha256 is"):
        cluster._load(replace(stored[0].content, length=stored[0].content.length - 1))


@pytest.mark.fast
def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    _, stored = store(tmp_path, accounts=37)
    os.truncate(tmp_path / "book", 50)
    with pytest.raises(BadData, match="cannot be read from byte 0 on"):
        cluster._load(stored[0].content)
    os.remove(tmp_path / "book")
    with pytest.raises(BadData, match="cannot be read from byte 0 on"):
        cluster._load(stored[0].content)


@dataclass
class Trap:
    """Leaves a file when it is unpickled."""

    mark: Path

    def __reduce__(self):
        return Path.write_text, (self.mark, "unpickled")


@pytest.mark.fast
def test_a_market_is_not_unpickled_before_its_hash_is_right(tmp_path: Path) -> None:
    stored = cluster.store_market(tmp_path / "market", *inputs())
    trap = pickle.dumps(Trap(tmp_path / "mark"))
    Path(stored.path).write_bytes(trap.ljust(stored.length, b"."))
    with pytest.raises(BadData, match="market, .* bytes from 0 on: the sha256 is"):
        cluster._priced(stored)
    assert not (tmp_path / "mark").exists()
    pickle.loads(trap)
    assert (tmp_path / "mark").exists()
