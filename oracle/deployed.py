"""Whether a chain holds what the terms say: code byte for byte, state value by value, and nothing besides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oracle.chain.client import ChainClient
from oracle.chain.contract import Contract, load_artefact
from oracle.chain.create2 import Creation, expected_code
from oracle.change_words import call_words
from oracle.governance import Governance, read_governance
from oracle.readers.oracle_state import ORACLE_VERSION
from oracle.terms import ZERO_ADDRESS, Terms
from oracle.types import BlockStamp, Bounds

Facts = dict[str, object]
"""What is set, by a name that says what."""

_GROUPS = ("initial_ppm", "maintenance_ppm", "slope_ppm_per_million_usd")
_TIMING = ("heartbeat_seconds", "dwell_seconds", "minimum_delay_seconds")


def creations(terms: Terms) -> tuple[Creation, ...]:
    """Return the contracts that the terms ask for, the oracle first."""
    salt = bytes.fromhex(terms.salt.removeprefix("0x"))
    oracle = Creation(load_artefact("MarginOracle"), (terms.setup(),), salt)
    return (oracle, Creation(load_artefact("BookLens"), (), salt)) if terms.with_lens else (oracle,)


def market_facts(market_id: int, name: str, config: Sequence[Any]) -> Facts:
    """Return what is set of one market; `config` in the order of `IMarginOracle.MarketConfig`."""
    _, fallback_ppm, *groups = config
    facts: Facts = {f"market {market_id} name": repr(name), f"market {market_id} fallback_initial_ppm": fallback_ppm}
    for group, bounds in zip(_GROUPS, groups, strict=True):
        for limit, value in zip(Bounds.__slots__, bounds, strict=True):
            facts[f"market {market_id} {group}.{limit}"] = value
    return facts


def signer_facts(threshold: int, step_threshold: int, signers: Sequence[str]) -> Facts:
    """Return what is set of the signers."""
    shown = ", ".join(sorted(signers, key=str.lower))
    return {"signers threshold": threshold, "signers step_threshold": step_threshold, "signers addresses": shown}


def custodian_facts(custodian: str, signer: str) -> Facts:
    """Return what is set of one custodian."""
    return {f"custodian {custodian}": signer}


def wanted_facts(terms: Terms) -> Facts:
    """Return everything that the terms set, without the owner."""
    facts: Facts = {
        "version": ORACLE_VERSION,
        "block_hash_source": terms.block_hash_source.number,
        "sequencer_uptime_feed": terms.sequencer_uptime_feed,
        "sequencer_grace_seconds": terms.sequencer_grace_seconds,
        "guardian": terms.guardian,
        "owner_delay_seconds": terms.owner_delay_seconds,
        **dict(zip(_TIMING, terms.timing.as_struct(), strict=True)),
        "paused": False,
        **signer_facts(*terms.signers.as_struct()),
    }
    for grant in terms.custodians:
        facts |= custodian_facts(grant.custodian, grant.signer)
    for market in terms.markets:
        facts |= market_facts(market.market_id, market.name, market.as_struct())
    return facts


def found_facts(oracle: Contract, governance: Governance) -> Facts:
    """Return everything that is set on chain, without the owner; a proposed change too, which no terms have."""
    stamp = governance.stamp
    facts: Facts = {
        "version": oracle.call(stamp, "VERSION"),
        "block_hash_source": oracle.call(stamp, "blockHashSource"),
        "sequencer_uptime_feed": oracle.call(stamp, "sequencerUptimeFeed"),
        "sequencer_grace_seconds": oracle.call(stamp, "sequencerGraceSeconds"),
        "guardian": governance.guardian,
        "owner_delay_seconds": governance.owner_delay_seconds,
        **dict(zip(_TIMING, governance.timing, strict=True)),
        "paused": governance.is_paused,
    }
    if governance.signers is not None:
        held = governance.signers
        facts |= signer_facts(held.threshold, held.step_threshold, held.signers)
    for rotation in governance.rotations:
        facts |= custodian_facts(rotation.custodian, rotation.signer)
    for market in governance.markets:
        facts |= market_facts(market.market_id, market.name, market.config)
    for change in governance.changes:
        facts[f"proposed change 0x{change.id.hex()}"] = call_words(oracle.interface, change.change)
    return facts


def code_differences(client: ChainClient, stamp: BlockStamp, creation: Creation) -> tuple[str, ...]:
    """Return in what the code at the address of a creation is not what its artefact and arguments lead to.

    Raises
    ------
    CallReverted
        If the constructor refuses the arguments.
    """
    expected, code = expected_code(client, stamp, creation), client.code(stamp, creation.address)
    if code == expected:
        return ()
    where = f"{creation.artefact.name} at {creation.address}"
    if not code:
        return (f"{where}: no code",)
    places = (place for place, pair in enumerate(zip(code, expected, strict=False)) if pair[0] != pair[1])
    first = next(places, min(len(code), len(expected)))
    return (f"{where}: {len(code)} bytes of code, {len(expected)} expected, different from byte {first} on",)


def differences(
    client: ChainClient, stamp: BlockStamp, terms: Terms, first_block: int, *, with_owner: bool = True
) -> tuple[str, ...]:
    """Return everything in which the chain differs from the terms; empty when nothing does.

    Parameters
    ----------
    client : ChainClient
    stamp : BlockStamp
        Where to look.
    terms : Terms
    first_block : int
        Of the oracle's creation, or one before; its events are read from there.
    with_owner : bool
        Whether the final owner has to own the oracle, or only to accept it from the deployer.
    """
    wrong_code = [line for creation in creations(terms) for line in code_differences(client, stamp, creation)]
    if wrong_code:
        # What another contract says of its state is worth nothing.
        return tuple(wrong_code)
    oracle = oracle_of(client, terms)
    governance = read_governance(oracle, stamp, first_block)
    return (
        *_fact_differences(wanted_facts(terms), found_facts(oracle, governance)),
        *(_owner_differences(terms, governance) if with_owner else ()),
    )


def oracle_of(client: ChainClient, terms: Terms) -> Contract:
    """Return the oracle that the terms lead to, whether it exists or not."""
    creation = creations(terms)[0]
    return Contract(client, creation.address, creation.artefact.interface)


def _fact_differences(wanted: Facts, found: Facts) -> tuple[str, ...]:
    return tuple(
        f"{name}: {wanted.get(name, 'nothing')} in the terms, {found.get(name, 'nothing')} on chain"
        for name in sorted(wanted.keys() | found.keys())
        if name not in wanted or name not in found or wanted[name] != found[name]
    )


def _owner_differences(terms: Terms, governance: Governance) -> tuple[str, ...]:
    owner, pending = governance.owner, governance.pending_owner
    is_offered = owner == terms.deployer and pending == terms.owner
    if is_offered or (owner == terms.owner and pending == ZERO_ADDRESS):
        return ()
    offer = "" if pending == ZERO_ADDRESS else f", on offer to {pending}"
    return (f"owner: {terms.owner} in the terms, {owner}{offer} on chain",)
