"""The deployment file: what was deployed by which terms, so that anyone can check it against a chain.

It is written before the first transaction, with the block from which events are to be searched, and again at the end.
What it says of transactions is read from the oracle's events, not remembered: an interruption loses nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from oracle.chain.client import ChainClient
from oracle.chain.contract import load_artefact
from oracle.deployed import creations, oracle_of
from oracle.errors import BadConfiguration, Difference, StorageFailure
from oracle.terms import Terms
from oracle.terms_file import parse_terms
from oracle.types import BlockStamp

_EVENTS = (
    "OwnershipTransferred",
    "OwnershipTransferStarted",
    "GuardianChanged",
    "OwnerDelayChanged",
    "TimingChanged",
    "SignerSetChanged",
    "RotationGranted",
    "MarketConfigured",
)
"""What a deployment makes the oracle announce."""


@dataclass(frozen=True, slots=True)
class DeployedContract:
    """One contract of a deployment."""

    name: str
    address: str
    source_hash: str
    """SHA-256 of all sources and settings that the artefact was compiled from."""
    code_hash: str
    """Keccak of the code on chain; empty while there is none."""


@dataclass(frozen=True, slots=True)
class DeploymentTransaction:
    """A transaction that set something, and the events by which the oracle said so."""

    hash: str
    block: int
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """What the file holds."""

    terms: Terms
    first_block: int
    contracts: tuple[DeployedContract, ...]
    """By name."""
    transactions: tuple[DeploymentTransaction, ...]

    @property
    def oracle_address(self) -> str:
        """Where the oracle is."""
        return next(one.address for one in self.contracts if one.name == "MarginOracle")


def make_record(client: ChainClient, stamp: BlockStamp, terms: Terms, first_block: int) -> Record:
    """Return what the chain tells of a deployment by these terms at a block.

    Once the oracle exists, the record's first block is that of its first event.
    """
    contracts = []
    for creation in sorted(creations(terms), key=lambda creation: creation.artefact.name):
        code = client.code(stamp, creation.address)
        code_hash = "0x" + keccak(code).hex() if code else ""
        contracts.append(
            DeployedContract(creation.artefact.name, creation.address, creation.artefact.source_hash, code_hash)
        )
    events: dict[tuple[int, bytes], list[str]] = {}
    for event in reversed(list(oracle_of(client, terms).search(_EVENTS, first_block, stamp.number))):
        events.setdefault((event.log.block_number, event.log.transaction_hash), []).append(event.name)
    transactions = tuple(
        DeploymentTransaction("0x" + digest.hex(), block, tuple(names)) for (block, digest), names in events.items()
    )
    return Record(terms, transactions[0].block if transactions else first_block, tuple(contracts), transactions)


def write_record(path: Path, record: Record) -> None:
    """Write the file whole or not at all, in place of one of the same deployment.

    Raises
    ------
    StorageFailure
        If it cannot be written.
    """
    content: dict[str, Any] = {
        "chain_id": record.terms.chain_id,
        "terms": record.terms.as_json(),
        "terms_hash": record.terms.content_hash(),
        "first_block": record.first_block,
        "contracts": {
            one.name: {"address": one.address, "source_hash": one.source_hash, "code_hash": one.code_hash}
            for one in record.contracts
        },
        "transactions": [{"hash": one.hash, "block": one.block, "events": one.events} for one in record.transactions],
    }
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageFailure(f"cannot write {path}: {error.strerror}", "check disk space and permissions") from None


def read_record(path: Path) -> Record:
    """Return what a deployment file holds.

    Raises
    ------
    BadConfiguration
        If it is missing, malformed, or contradicts itself.
    Difference
        If the artefacts of this release do not lead to its addresses.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfiguration(f"deployment file {path}: {error.strerror}", "correct the path") from None
    except ValueError:
        raise BadConfiguration(f"deployment file {path} is not JSON", "restore the file") from None
    try:
        terms = parse_terms(content["terms"], str(path))
        contracts = tuple(DeployedContract(name, **one) for name, one in sorted(content["contracts"].items()))
        transactions = tuple(
            DeploymentTransaction(one["hash"], one["block"], tuple(one["events"])) for one in content["transactions"]
        )
        first_block, terms_hash = int(content["first_block"]), content["terms_hash"]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadConfiguration(
            f"deployment file {path}: {type(error).__name__} {error} is not as it was written", "restore the file"
        ) from None
    if terms_hash != terms.content_hash():
        raise BadConfiguration(
            f"deployment file {path}: its terms hash to {terms.content_hash()}, not {terms_hash}", "restore the file"
        )
    _require_release(contracts, terms)
    return Record(terms, first_block, contracts, transactions)


def _require_release(contracts: tuple[DeployedContract, ...], terms: Terms) -> None:
    """Check that the artefacts here lead to the addresses of the file; they follow from every byte of them."""
    recorded = {one.name: one for one in contracts}
    expected = {creation.artefact.name: creation.address for creation in creations(terms)}
    if recorded.keys() != expected.keys():
        raise BadConfiguration(
            f"the file names {', '.join(recorded)}, its terms {', '.join(expected)}", "restore the file"
        )
    for name, address in expected.items():
        if recorded[name].address != address:
            raise Difference(
                f"{name} is at {recorded[name].address} by the file and at {address} by the artefact here "
                f"(sources {recorded[name].source_hash} and {load_artefact(name).source_hash})",
                "use the release that deployed it",
            )
