"""The demonstration venue through artefacts: what was passed in is what the contracts hold, and errors have names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from oracle.chain import contract as contract_module
from oracle.chain.client import ChainClient
from oracle.chain.contract import Contract, load_artefact
from oracle.chain.deployment import (
    ARTEFACT_NAMES,
    Deployment,
    SeedAccount,
    open_venue,
    push_rounds,
    push_slices,
    seed_accounts,
)
from oracle.chain.submission import execute
from oracle.chain.transactor import Transactor
from oracle.demo import catalogue
from oracle.errors import CallReverted, WrongContract
from oracle.types import PriceRounds, SurfaceSlice
from tests.conftest import SIGNERS, SPOT_E8

pytestmark = pytest.mark.chain

ALICE = "0x00000000000000000000000000000000000A11cE"
NODES_PPM = (720_000, 660_000, 620_000, 600_000, 610_000, 640_000, 690_000)


def test_the_contracts_hold_what_was_passed_in(client: ChainClient, deployment: Deployment) -> None:
    head = client.head()
    listed = catalogue.instruments(SPOT_E8, head.timestamp)
    assert deployment.exchange.call(head, "instrumentCount") == len(listed)
    assert deployment.exchange.call(head, "underlyingCount") == len(deployment.feeds) == 2
    assert deployment.exchange.call(head, "oracle") == deployment.oracle.address
    assert deployment.exchange.call(head, "quoteToken") == deployment.dollar.address
    assert deployment.oracle.call(head, "timing") == (3_600, 1_800, 60)
    assert deployment.oracle.call(head, "guardian") == SIGNERS[0].address
    assert deployment.oracle.call(head, "ownerDelaySeconds") == 172_800
    assert int(deployment.oracle.call(head, "sequencerUptimeFeed"), 16) == 0
    for market in catalogue.markets():
        held = deployment.oracle.call(head, "marketConfig", market.market_id)
        assert held.exists
        assert held.fallbackInitialPpm == market.fallback_initial_ppm
        assert tuple(held.initial) == (5_000, 3_000_000, 500_000, 50_000, 0, 40_000)
        assert held.maintenance.riseHourly == market.maintenance.rise_hourly
        assert held.slope.maximum == market.slope.maximum


def test_events_are_found_from_the_first_block(client: ChainClient, deployment: Deployment) -> None:
    head = client.head()
    (event,) = deployment.oracle.events("SignerSetChanged", deployment.first_block, head.number)
    ascending = sorted((account.address for account in SIGNERS), key=lambda address: int(address, 16))
    assert list(event.values["signers"]) == ascending
    assert (event.values["threshold"], event.values["stepThreshold"]) == (2, 3)
    market = catalogue.markets()[0]
    topic = market.market_id.to_bytes(32)
    (event,) = deployment.oracle.events("MarketConfigured", deployment.first_block, head.number, [topic])
    assert event.values["name"] == market.name


def test_genesis_goes_in_as_it_was_written(client: ChainClient, deployment: Deployment, deployer: Transactor) -> None:
    now = client.head().timestamp
    times = np.arange(now - 3_600 * 700, now + 1, 3_600, dtype=np.int64)
    rounds = PriceRounds(times, np.full(len(times), SPOT_E8[0]) + np.arange(len(times)))
    push_rounds(deployer, deployment.feeds[0], rounds)
    push_rounds(deployer, deployment.feeds[1], rounds)
    push_slices(deployer, deployment.surface, [SurfaceSlice(0, now + 86_400, NODES_PPM, -20_000, now)])
    seeds = [
        SeedAccount(ALICE, -5_000_000, ((0, -250), (1, 10**9))),
        *(SeedAccount(f"0x{number:040x}", 10**9, ((0, 1),)) for number in range(1, 70)),
    ]
    seed_accounts(deployer, deployment.exchange, seeds)
    open_venue(deployer, deployment.exchange)
    head = client.head()
    last = deployment.feeds[0].call(head, "latestRoundData")
    assert (last[0], last[1], last[3]) == (len(times), rounds.price_e8[-1], times[-1])
    held = deployment.surface.call(head, "sliceOf", 0, now + 86_400)
    assert (held.nodesPpm, held.carryPpm) == (NODES_PPM, -20_000)
    assert deployment.exchange.call(head, "accountCount") == len(seeds)
    assert deployment.exchange.call(head, "positionsOf", ALICE) == ((0, 1), (-250, 10**9))
    with pytest.raises(CallReverted, match=r"DemoExchange\.AlreadyOpen\(\)"):
        seed_accounts(deployer, deployment.exchange, seeds[:1])


def test_an_error_that_comes_through_another_contract_has_its_owners_name(
    client: ChainClient, deployment: Deployment
) -> None:
    with pytest.raises(CallReverted, match=r"MarginOracle\.UnknownMarket\(marketId=999\)"):
        deployment.oracle.call(client.head(), "margin", 999)
    with pytest.raises(CallReverted, match=r"DemoFeed\.NoDataPresent\(roundId=0\)"):
        deployment.exchange.call(client.head(), "markE8", 0)


def test_a_refused_owner_act_is_told_before_it_is_sent(deployment: Deployment, deployer: Transactor) -> None:
    nonce = deployer.next_nonce()
    with pytest.raises(CallReverted, match=r"MarginOracle\.InvalidSignerSet\(\)"):
        execute(deployer, deployment.oracle, "setSigners", (1, 1, [ALICE, ALICE]))
    assert deployer.next_nonce() == nonce


def test_the_right_contract_passes_and_others_do_not(client: ChainClient, deployment: Deployment) -> None:
    head = client.head()
    version = deployment.oracle.call(head, "VERSION")
    deployment.oracle.require(head, version)
    with pytest.raises(WrongContract, match=f"is {version}, expected MarginOracle version 99"):
        deployment.oracle.require(head, "99")
    interface = load_artefact("MarginOracle").interface
    with pytest.raises(WrongContract, match="no contract at"):
        Contract(client, ALICE, interface).require(head, version)
    with pytest.raises(WrongContract, match=r"without VERSION\(\)"):
        Contract(client, deployment.dollar.address, interface).require(head, version)
    with pytest.raises(WrongContract, match="returned 0 bytes"):
        Contract(client, ALICE, interface).call(head, "VERSION")


def test_artefacts_are_found_in_a_checkout_or_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ARTEFACT_NAMES:
        artefact = load_artefact(name)
        assert artefact.name == name
        assert artefact.deployed_bytecode
    folders = (tmp_path / "missing", tmp_path)
    monkeypatch.setattr(contract_module, "ARTEFACT_FOLDERS", folders)
    content = {"abi": [], "bytecode": "0x01", "deployedBytecode": "0x02"}
    (tmp_path / "Mine.json").write_text(json.dumps(content))
    assert load_artefact("Mine").deployed_bytecode == b"\x02"
    with pytest.raises(WrongContract, match=r"no artefact Absent\.json in .*missing.* or "):
        load_artefact("Absent")
