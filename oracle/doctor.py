"""Looks at everything a keeper needs, one line each: pass, or what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from oracle.chain.client import ChainClient
from oracle.chain.contract import Contract, load_artefact
from oracle.config import Settings
from oracle.errors import BadArtefact, BadConfiguration, OracleError, Refused
from oracle.journal import Journal
from oracle.keeper import build_calibration, build_client, open_signers, require_signers
from oracle.readers.demo_exchange import DemoExchangeReader
from oracle.readers.lens import Lens
from oracle.readers.oracle_state import ORACLE_VERSION, read_oracle_state
from oracle.signer import open_account
from oracle.units import SECONDS_PER_HOUR

LEAST_GAS_BALANCE_WEI = 10**17
"""About a thousand posts at 20 gwei and 5,000 at 4: refill before it is less."""
LARGEST_CLOCK_DIFFERENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, whether it passed, and what was found or is to be done."""

    name: str
    passed: bool
    finding: str


def examine(settings: Settings, clock: Callable[[], float] = time.time) -> Iterator[Check]:
    """Yield each check as it is done; a failed one never stops the others that can still be made.

    Parameters
    ----------
    settings : Settings
        Already read, so the file itself is sound.
    clock : callable
        Unix seconds.
    """
    yield Check("configuration", True, f"read from {settings.directory}")
    client = build_client(settings)
    yield from _endpoints(client)
    yield _guarded("head", lambda: _head(client, settings, clock))
    yield _guarded(
        "oracle contract", lambda: _contract(client, settings.contracts.oracle, "MarginOracle", ORACLE_VERSION)
    )
    yield _guarded("heartbeat", lambda: _heartbeat(settings, client))
    yield _guarded("posts", lambda: _posts(settings, client))
    yield _guarded("governance", lambda: _governance(settings, client))
    yield _guarded("exchange contract", lambda: _exchange(client, settings))
    yield _guarded("journal", lambda: _journal(settings))
    yield _guarded("calibration", lambda: _calibration(settings, client))
    yield _guarded("signers", lambda: _signers(settings, client))
    yield _guarded("gas account", lambda: _gas_account(settings, client))
    yield _guarded("state for verify", lambda: _state_depth(settings, client))


def _guarded(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except OracleError as error:
        return Check(name, False, str(error))


def _endpoints(client: ChainClient) -> Iterator[Check]:
    for status in client.statuses():
        if status.fault:
            yield Check(f"endpoint {status.name}", False, status.fault)
        else:
            block = status.head.number if status.head else 0
            yield Check(f"endpoint {status.name}", True, f"chain id {client.chain_id}, block {block}")


def _head(client: ChainClient, settings: Settings, clock: Callable[[], float]) -> str:
    head = client.head()
    ahead = head.timestamp - int(clock())
    if ahead > LARGEST_CLOCK_DIFFERENCE_SECONDS and settings.chain.maximum_head_age_seconds:
        raise BadConfiguration(
            f"block {head.number} is {ahead} s ahead of this machine's clock", "synchronise the clock"
        )
    return f"block {head.number}, {-ahead} s old by this machine's clock"


def _contract(client: ChainClient, address: str, name: str, version: str | None) -> str:
    Contract(client, address, load_artefact(name).interface).require(client.head(), version)
    return f"{name} at {address}"


def _heartbeat(settings: Settings, client: ChainClient) -> str:
    contract = Contract(client, settings.contracts.oracle, load_artefact("MarginOracle").interface)
    heartbeat_seconds = contract.call(client.head(), "heartbeatSeconds")
    margin_seconds = settings.policy.heartbeat_margin_seconds
    if margin_seconds >= heartbeat_seconds:
        raise BadConfiguration(
            f"policy.heartbeat_margin_seconds is {margin_seconds}, the oracle's heartbeat {heartbeat_seconds}: "
            "every cycle would post",
            "make it less",
        )
    return f"{heartbeat_seconds} s, posted {margin_seconds} s before it runs out"


def _posts(settings: Settings, client: ChainClient) -> str:
    contracts, head = settings.contracts, client.head()
    markets = DemoExchangeReader(client, contracts.exchange, Lens(client, contracts.lens)).read_markets(head)
    market_ids = sorted({instrument.market_id for instrument in markets.instruments})
    state = read_oracle_state(client, contracts.oracle, market_ids, head)
    if state.is_paused:
        raise Refused("posts are paused by the guardian", "ask the guardian; the keeper holds until posts are open")
    pending = [market.pending.effective_timestamp for market in state.markets if market.pending]
    first = f", the first for {max(min(pending) - head.timestamp, 0)} s" if pending else ""
    return (
        f"open; a loosening waits {state.timing.dwell_seconds} s, a second rise "
        f"{state.timing.minimum_delay_seconds} s; loosenings that wait: {len(pending)}{first}"
    )


def _governance(settings: Settings, client: ChainClient) -> str:
    contract = Contract(client, settings.contracts.oracle, load_artefact("MarginOracle").interface)
    head = client.head()
    guardian, delay_seconds = contract.call(head, "guardian"), contract.call(head, "ownerDelaySeconds")
    who = "no guardian" if int(guardian, 16) == 0 else f"guardian {guardian}"
    return f"{who}; a change of the owner's waits {delay_seconds} s"


def _exchange(client: ChainClient, settings: Settings) -> str:
    contracts = settings.contracts
    asked = DemoExchangeReader(client, contracts.exchange, Lens(client, contracts.lens)).oracle_address(client.head())
    if asked != contracts.oracle:
        raise BadConfiguration(
            f"the exchange asks the oracle {asked}, not {contracts.oracle}", "correct either address"
        )
    return f"DemoExchange at {contracts.exchange}, asks this oracle"


def _journal(settings: Settings) -> str:
    path = settings.path(settings.storage.journal)
    with Journal(path) as journal:
        open_count = len(journal.open_transactions())
    return f"{path}, {open_count} transactions to settle"


def _calibration(settings: Settings, client: ChainClient) -> str:
    calibration = build_calibration(settings)
    age_days = (client.head().timestamp // SECONDS_PER_HOUR - calibration.last_hour) // 24
    if age_days > settings.calibration.maximum_age_days:
        raise BadArtefact(f"the calibration ends {age_days} days before the head", "calibrate again")
    return f"{calibration.content_hash[:16]}, {', '.join(calibration.symbols)}, ends {age_days} days before the head"


def _signers(settings: Settings, client: ChainClient) -> str:
    addresses = [signer.address for signer in open_signers(settings)]
    require_signers(settings, client, addresses)
    return f"{len(addresses)} unlocked, all in the set of {len(settings.contracts.signers)}: {', '.join(addresses)}"


def _gas_account(settings: Settings, client: ChainClient) -> str:
    if not settings.signing.gas_keystore:
        raise BadConfiguration("signing.gas_keystore is empty", "name the keystore that pays")
    address = open_account(settings.path(settings.signing.gas_keystore), settings.password()).address
    balance_wei = client.balance_wei(client.head(), address)
    if balance_wei < LEAST_GAS_BALANCE_WEI:
        raise BadConfiguration(
            f"{address} holds {balance_wei} wei, {LEAST_GAS_BALANCE_WEI} are advised", "send it some"
        )
    return f"{address} holds {balance_wei} wei"


def _state_depth(settings: Settings, client: ChainClient) -> str:
    """Recomputing a report needs the state of its block, which pruned nodes forget."""
    contract = Contract(client, settings.contracts.oracle, load_artefact("MarginOracle").interface)
    number = contract.call(client.head(), "lastReferenceBlock")
    if number == 0:
        return "no report yet"
    contract.call(client.block_by_number(number), "lastSequence")
    return f"block {number} of the last report can be read"
