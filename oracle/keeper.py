"""Builds a keeper from its configuration: once, at start; everything is then passed down."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import structlog

from oracle.attest import Attestor, Recompute
from oracle.chain.client import ChainClient, RequestLimits
from oracle.chain.contract import Contract, load_artefact
from oracle.chain.fees import FeeCaps
from oracle.chain.transactor import SendingRules, Transactor
from oracle.config import Settings
from oracle.cycle import Keeper, configured_signer_set, make_draft, report_to_sign
from oracle.errors import BadArtefact, BadConfiguration, SignerNotInSet
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


def build_transactor(settings: Settings, client: ChainClient, keystore: Path | None = None) -> Transactor:
    """Return the sender whose key is in a keystore, by default the configured one that pays for gas.

    Raises
    ------
    BadConfiguration
        If no keystore is named, or no password.
    LockedKeystore
    """
    if keystore is None and not settings.signing.gas_keystore:
        raise BadConfiguration("signing.gas_keystore is empty", "name the keystore that pays")
    account = open_account(keystore or settings.path(settings.signing.gas_keystore), settings.password())
    fee_wei = settings.chain.maximum_fee_gwei * _GWEI
    rules = SendingRules(caps=FeeCaps(routine_wei=fee_wei, urgent_wei=_URGENT_FACTOR * fee_wei))
    return Transactor(client, account, rules)


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


class LiveKeeper:
    """The keeper of the daemon: each cycle takes the artefact that the file holds when it begins.

    A file that was replaced is adopted whole, by every signer, from the next cycle on; one that cannot be used is
    reported once and the artefact in use stays.
    """

    def __init__(self, settings: Settings, dry_run: bool = False) -> None:
        # looked at before it is read: what replaces it in between is then seen
        self._seen = _mark(settings)
        self._keeper = build_keeper(settings, dry_run)

    def current(self) -> Keeper:
        """Return the keeper for the cycle that begins now."""
        mark = _mark(self._keeper.settings)
        if mark != self._seen:
            self._seen = mark
            self._adopt()
        return self._keeper

    def _adopt(self) -> None:
        log = structlog.get_logger("keeper")
        settings, before = self._keeper.settings, self._keeper.calibration.content_hash
        try:
            calibration = build_calibration(settings)
        except BadArtefact as error:
            log.error("calibration_not_adopted", alert=True, in_use=before, reason=error.message, remedy=error.remedy)
            return
        if calibration.content_hash != before:
            self._keeper = with_calibration(self._keeper, calibration)
            log.info("calibration_adopted", before=before, after=calibration.content_hash)


def with_calibration(keeper: Keeper, calibration: Calibration) -> Keeper:
    """Return the keeper with another artefact, for itself and for its attestors; recorded as in use."""
    settings = keeper.settings
    path = str(settings.path(settings.calibration.artefact))
    keeper.journal.record_calibration(CalibrationRow(calibration.content_hash, path))
    recompute = _recompute(settings, keeper.client, calibration)
    attestors = tuple(Attestor(attestor.signer, recompute) for attestor in keeper.attestors)
    return replace(keeper, calibration=calibration, attestors=attestors)


def _mark(settings: Settings) -> tuple[int, int, int] | None:
    """What changes when the artefact's file is replaced; None where there is none."""
    try:
        found = settings.path(settings.calibration.artefact).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


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
    transactor = build_transactor(settings, client)
    oracle = Contract(client, settings.contracts.oracle, load_artefact("MarginOracle").interface)
    return Publisher(transactor, oracle, journal, float(settings.chain.receipt_timeout_seconds))
