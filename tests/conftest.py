"""The rules of the suite and the local chain that its tests share.

Every test says how much it needs by a marker: `fast`, `chain` or `slow`; one without is an error. A fast test that
opens a connection fails. A chain test finds the chain as the session's fixtures left it, whatever ran before; each
process of a parallel run has a chain and a folder of compiled kernels of its own.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import NoReturn

import pytest
import structlog
from eth_account import Account

from oracle.chain.client import ChainClient, RequestLimits
from oracle.chain.deployment import Deployment, UnderlyingTerms, VenueTerms, deploy_demo
from oracle.chain.devnet import Devnet, revert_to_snapshot, take_snapshot
from oracle.chain.transactor import SendingRules, Transactor
from oracle.demo import catalogue
from oracle.types import Timing

MARKERS = ("fast", "chain", "slow")
SIGNERS = tuple(Account.from_key(number.to_bytes(32)) for number in (1, 2, 3))
"""Keys of the tests' quorum, two of three needed."""
SPOT_E8 = (300_000_000_000, 6_000_000_000_000)
QUICK_RULES = SendingRules(poll_seconds=0.01, stuck_after_seconds=5.0, deadline_seconds=20.0)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the sequences that the contract and its model are driven by be more."""
    parser.addoption("--sequences", type=int, default=300, help="sequences of the contract next to its model")


def pytest_configure(config: pytest.Config) -> None:
    """Give each process of a parallel run kernels of its own, before the engine is imported."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and "NUMBA_CACHE_DIR" not in os.environ:
        os.environ["NUMBA_CACHE_DIR"] = str(config.rootpath / ".pytest_cache" / f"kernels-{worker}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that does not say what it needs."""
    unmarked = [item.nodeid for item in items if not any(item.get_closest_marker(name) for name in MARKERS)]
    if unmarked:
        raise pytest.UsageError(f"tests without a marker ({', '.join(MARKERS)}): {', '.join(unmarked)}")


@pytest.fixture(autouse=True)
def _no_connections(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fast test that opens a connection fail."""
    if request.node.get_closest_marker("fast") is None:
        return

    def refuse(self: socket.socket, address: object) -> NoReturn:
        raise AssertionError(f"a fast test may not connect, here to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Undo what a command set up for its own logs."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def anvil() -> Iterator[Devnet]:
    """Return one chain for the whole session."""
    with Devnet() as devnet:
        yield devnet


@pytest.fixture(scope="session")
def session_client(anvil: Devnet) -> ChainClient:
    """Return the client that session fixtures deploy with; tests take `client`."""
    return anvil.client(limits=RequestLimits(timeout_seconds=30.0))


@pytest.fixture(scope="session")
def session_deployer(anvil: Devnet, session_client: ChainClient) -> Transactor:
    """Return the sender that session fixtures deploy with; tests take `deployer`."""
    return Transactor(session_client, anvil.accounts[0], QUICK_RULES)


@pytest.fixture(scope="session")
def session_deployment(session_deployer: Transactor) -> Deployment:
    """Return the venue that the session deployed once; tests take `deployment`."""
    now = session_deployer.client.head().timestamp
    terms = VenueTerms(
        timing=Timing(heartbeat_seconds=3_600, dwell_seconds=1_800, minimum_delay_seconds=60),
        guardian=SIGNERS[0].address,
        owner_delay_seconds=172_800,
        signers=tuple(account.address for account in SIGNERS),
        threshold=2,
        step_threshold=3,
        underlyings=tuple(UnderlyingTerms(symbol, 500, 10**12) for symbol in catalogue.SYMBOLS),
        markets=catalogue.markets(),
        instruments=catalogue.instruments(SPOT_E8, now),
    )
    return deploy_demo(session_deployer, terms)


@pytest.fixture
def deployment(session_deployment: Deployment, client: ChainClient) -> Deployment:
    """Return the demonstration venue: configured, without prices or accounts, not open; undone as `client`."""
    return session_deployment


@pytest.fixture
def client(session_client: ChainClient) -> Iterator[ChainClient]:
    """Return a client; whatever the test does to the chain is undone after it."""
    snapshot = take_snapshot(session_client)
    yield session_client
    revert_to_snapshot(session_client, snapshot)


@pytest.fixture
def deployer(client: ChainClient, session_deployer: Transactor) -> Transactor:
    """Return the sender that owns what is deployed; undone as `client`."""
    return session_deployer
