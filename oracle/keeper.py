"""Builds a keeper from its configuration: once, at start; everything is then passed down."""

from __future__ import annotations

import time

from oracle.attest import Attestor, Recompute
from oracle.chain.client import ChainClient, RequestLimits
from oracle.chain.contract import Contract, load_artefact
from oracle.chain.fees import FeeCaps
from oracle.chain.transactor import SendingRules, Transactor
from oracle.config import Settings
from oracle.cycle import Keeper, configured_signer_set, make_draft, report_to_sign
from oracle.errors import BadConfiguration, SignerNotInSet
from oracle.journal import CalibrationRow, Journal
from oracle.publisher import Publisher
from oracle.report import Domain
from oracle.signer import Signer, open_account, open_signer
from oracle.types import BlockStamp, MarginReport
from oracle.valuation import Calibration, load_calibration

_GWEI = 10**9
_URGENT_FACTOR = 5
"""How much more than in normal operation may be paid to get a rise beyond the step on chain."""


def build_client(settings: Settings) -> ChainClient:
    """Return the client of the configured endpoints."""
    return ChainClient(
        settings.endpoints(),
        settings.chain.chain_id,
        confirmations=settings.chain.confirmation_blocks,
        maximum_head_age_seconds=settings.chain.maximum_head_age_seconds or None,
        limits=RequestLimits(timeout_seconds=settings.chain.request_timeout_seconds),
    )


def build_calibration(settings: Settings) -> Calibration:
    """Return the configured artefact, checked against its agreed hash."""
    return load_calibration(settings.path(settings.calibration.artefact), settings.calibration.content_hash)


def build_keeper(settings: Settings, dry_run: bool) -> Keeper:
    """Return a keeper that is ready to run cycles.

    Parameters
    ----------
    settings : Settings
    dry_run : bool
        Everything but signing and sending; needs no key.

    Raises
    ------
    Fatal
        Wrong chain, no contract, locked keystore, a signer outside the set, a journal that cannot be written.
    """
    client = build_client(settings)
    calibration = build_calibration(settings)
    journal = Journal(settings.path(settings.storage.journal))
    journal.record_calibration(
        CalibrationRow(calibration.content_hash, str(settings.path(settings.calibration.artefact)))
    )
    keeper = Keeper(settings, client, calibration, journal, lambda: int(time.time()))
    if dry_run:
        return keeper
    signers = open_signers(settings)
    require_signers(settings, client, [signer.address for signer in signers])
    attestors = tuple(Attestor(signer, _recompute(settings, client, calibration)) for signer in signers)
    return Keeper(
        settings, client, calibration, journal, keeper.clock, attestors, _publisher(settings, client, journal)
    )


def open_signers(settings: Settings) -> list[Signer]:
    """Return the configured signers, unlocked."""
    if not settings.signing.keystores:
        raise BadConfiguration("signing.keystores names no keystore", "add one, or run with --dry-run")
    domain = Domain(settings.chain.chain_id, settings.contracts.oracle)
    password = settings.password()
    return [open_signer(settings.path(name), password, domain) for name in settings.signing.keystores]


def require_signers(settings: Settings, client: ChainClient, addresses: list[str]) -> None:
    """Check that the configured signer set is the contract's, and that these addresses are in it.

    Raises
    ------
    SignerNotInSet
        Names what does not fit.
    """
    contract = Contract(client, settings.contracts.oracle, load_artefact("MarginOracle").interface)
    head = client.head()
    contract.require(head)
    epoch, on_chain = contract.call(head, "signerSetEpoch"), contract.call(head, "signerSetHash")
    configured = configured_signer_set(settings, epoch, on_chain)
    for address in addresses:
        if address not in configured.signers:
            raise SignerNotInSet(f"{address} is not a signer of epoch {epoch}", "remove its keystore or have it added")


def _recompute(settings: Settings, client: ChainClient, calibration: Calibration) -> Recompute:
    def recompute(stamp: BlockStamp, exceeds_step: bool) -> MarginReport:
        return report_to_sign(make_draft(client, settings, calibration, stamp), exceeds_step)

    return recompute


def _publisher(settings: Settings, client: ChainClient, journal: Journal) -> Publisher:
    if not settings.signing.gas_keystore:
        raise BadConfiguration("signing.gas_keystore is empty", "name the keystore that pays, or run with --dry-run")
    account = open_account(settings.path(settings.signing.gas_keystore), settings.password())
    fee_wei = settings.chain.maximum_fee_gwei * _GWEI
    rules = SendingRules(caps=FeeCaps(routine_wei=fee_wei, urgent_wei=_URGENT_FACTOR * fee_wei))
    oracle = Contract(client, settings.contracts.oracle, load_artefact("MarginOracle").interface)
    timeout = float(settings.chain.receipt_timeout_seconds)
    return Publisher(Transactor(client, account, rules), oracle, journal, timeout)
