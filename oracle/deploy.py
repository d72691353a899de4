"""Deploys an oracle by its terms: a plan of steps, of which those that are not done are sent, in order.

A plan is a function of the terms and of the chain at one block. So what was interrupted is planned anew and goes on
where it stands; nothing that is done is sent twice. The ownership is offered last, once everything else was read back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oracle.chain.abi import selector
from oracle.chain.client import ChainClient
from oracle.chain.create2 import PROXY, Creation, require_proxy
from oracle.chain.submission import submit
from oracle.chain.transaction import Receipt
from oracle.chain.transactor import Transactor
from oracle.change_words import call_words
from oracle.deployed import (
    Facts,
    code_differences,
    creations,
    custodian_facts,
    differences,
    found_facts,
    market_facts,
    oracle_of,
    signer_facts,
)
from oracle.errors import BadConfiguration, CallReverted, Difference, Refused, TransactionUnknown, WrongContract
from oracle.governance import Governance, read_governance
from oracle.terms import ZERO_ADDRESS, BlockHashSource, Terms
from oracle.types import BlockStamp

HISTORY_CONTRACT = "0x0000F90827F1C53a10cb7A02335B175320002935"
"""Of EIP-2935."""
_ROUND_BYTES = 160
"""What `latestRoundData()` returns."""

Told = Callable[["Step", Receipt], None]
"""Told each step that was sent, with its receipt."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of the deployer."""

    words: str
    to: str
    data: bytes
    is_done: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a deployment takes, in order."""

    contracts: tuple[Creation, ...]
    """The oracle first."""
    set_up: tuple[Step, ...]
    hand_over: Step
    owner: str
    """Who owns the oracle now; the deployer while it does not exist."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps; the last one hands over."""
        return *self.set_up, self.hand_over


def make_plan(client: ChainClient, stamp: BlockStamp, terms: Terms, first_block: int | None) -> Plan:
    """Return the steps that lead to what the terms say, each with whether the chain holds its effect already.

    Parameters
    ----------
    client : ChainClient
    stamp : BlockStamp
        Where the chain is looked at.
    terms : Terms
    first_block : int or None
        A block not after the oracle's creation; may be None while there is none.

    Raises
    ------
    WrongContract
        If the chain lacks the deployment proxy, the source of block hashes, or the sequencer's feed, or other code
        stands at an address of the plan.
    CallReverted
        If a constructor refuses its arguments.
    BadConfiguration
        If the oracle exists and `first_block` is None.
    """
    require_proxy(client, stamp)
    _require_sources(client, stamp, terms)
    contracts = creations(terms)
    exist = [bool(client.code(stamp, creation.address)) for creation in contracts]
    for creation, exists in zip(contracts, exist, strict=True):
        faults = code_differences(client, stamp, creation)
        if exists and faults:
            raise WrongContract(faults[0], "it is of another release, or somebody else's; look at it before anything")
    oracle = oracle_of(client, terms)
    governance: Governance | None = None
    if exist[0]:
        if first_block is None:
            raise BadConfiguration(
                f"the oracle exists at {oracle.address}, and no deployment file says since which block",
                "give --first-block: any block before its creation",
            )
        governance = read_governance(oracle, stamp, first_block)
    found = {} if governance is None else found_facts(oracle, governance)
    created = (_creation_step(*pair) for pair in zip(contracts, exist, strict=True))
    return Plan(
        contracts,
        (*created, *_settings_steps(terms, found)),
        _hand_over(terms, governance),
        terms.deployer if governance is None else governance.owner,
    )


def apply(transactor: Transactor, terms: Terms, first_block: int, told: Told) -> None:
    """Send what is not done, read everything back, and hand over; may be interrupted anywhere and called again.

    Parameters
    ----------
    transactor : Transactor
        Of the deployer.
    terms : Terms
    first_block : int
        A block not after the oracle's creation.
    told : callable

    Raises
    ------
    BadConfiguration
        If the transactor is not the deployer's.
    TransactionUnknown
        If a transaction of the deployer's is in flight, perhaps of a run before.
    Refused
        If the oracle is no longer the deployer's, and something is left to set.
    Difference
        If the chain does not hold what the terms say; before the ownership is offered, where it was not yet.
    OracleError
        As `make_plan` and `oracle.chain.submission.submit`.
    """
    client = transactor.client
    _require_ready(transactor, terms)
    stamp = client.head()
    plan = make_plan(client, stamp, terms, first_block)
    left = [step for step in plan.set_up if not step.is_done]
    if left and plan.owner != terms.deployer:
        raise Refused(
            f"the oracle belongs to {plan.owner} by now, and {len(left)} steps are left, first: {left[0].words}",
            "its owner sets them by `margin-oracle admin`",
        )
    for step in left:
        stamp = _send(transactor, terms, step, told)
    _require_same(differences(client, stamp, terms, first_block, with_owner=False))
    if not plan.hand_over.is_done:
        stamp = _send(transactor, terms, plan.hand_over, told)
    _require_same(differences(client, stamp, terms, first_block))


def _send(transactor: Transactor, terms: Terms, step: Step, told: Told) -> BlockStamp:
    """Send a step and return its block: an endpoint that does not have it yet cannot be asked what came of it."""
    client = transactor.client
    receipt = submit(transactor, step.to, step.data, reasons=oracle_of(client, terms).reasons)
    told(step, receipt)
    return client.block_by_number(receipt.block_number)


def _creation_step(creation: Creation, exists: bool) -> Step:
    return Step(f"create {creation.artefact.name} at {creation.address}", PROXY, creation.data, exists)


def _settings_steps(terms: Terms, found: Facts) -> list[Step]:
    oracle = creations(terms)[0]
    interface = oracle.artefact.interface

    def step(wanted: Facts, function: str, *arguments: object) -> Step:
        data = interface.encode(function, *arguments)
        is_done = all(name in found and found[name] == value for name, value in wanted.items())
        return Step(call_words(interface, data), oracle.address, data, is_done)

    signers = terms.signers.as_struct()
    steps = [step(signer_facts(*signers), "setSigners", signers)]
    for grant in terms.custodians:
        facts = custodian_facts(grant.custodian, grant.signer)
        steps.append(step(facts, "grantRotation", grant.custodian, grant.signer))
    for market in terms.markets:
        values = market.market_id, market.name, market.as_struct()
        steps.append(step(market_facts(*values), "configureMarket", *values))
    return steps


def _hand_over(terms: Terms, governance: Governance | None) -> Step:
    oracle = creations(terms)[0]
    data = oracle.artefact.interface.encode("transferOwnership", terms.owner)
    holders = (terms.deployer, ZERO_ADDRESS) if governance is None else (governance.owner, governance.pending_owner)
    return Step(call_words(oracle.artefact.interface, data), oracle.address, data, terms.owner in holders)


def _require_ready(transactor: Transactor, terms: Terms) -> None:
    if transactor.address != terms.deployer:
        raise BadConfiguration(
            f"the key is that of {transactor.address}, the deployer of the terms is {terms.deployer}",
            "use the deployer's keystore, or correct the terms: another deployer means another address",
        )
    in_flight = transactor.nonces_in_flight()
    if in_flight:
        raise TransactionUnknown(
            f"transactions {in_flight.start} to {in_flight.stop - 1} of {transactor.address} are in flight",
            "wait until they are mined, then run it again",
        )


def _require_same(found: tuple[str, ...]) -> None:
    if found:
        raise Difference(
            f"the chain differs from the terms in {len(found)}: " + "; ".join(found),
            "see what came in between; the deployer corrects it by `margin-oracle admin`, then run it again",
        )


def _require_sources(client: ChainClient, stamp: BlockStamp, terms: Terms) -> None:
    """Check what the oracle can never be given another one of: its source of block hashes and the sequencer's feed."""
    if terms.block_hash_source is BlockHashSource.EIP2935 and not client.code(stamp, HISTORY_CONTRACT):
        raise WrongContract(
            f"chain {client.chain_id} has no history contract of EIP-2935 at {HISTORY_CONTRACT}",
            'let block_hash_source be "evm"',
        )
    if terms.sequencer_uptime_feed == ZERO_ADDRESS:
        return
    try:
        answer = client.call(stamp, terms.sequencer_uptime_feed, selector("latestRoundData()"))
    except CallReverted as error:
        answer = error.data
    if len(answer) != _ROUND_BYTES:
        raise WrongContract(
            f"no sequencer uptime feed answers at {terms.sequencer_uptime_feed}",
            "correct sequencer_uptime_feed; it is zero on a chain without a sequencer",
        )
