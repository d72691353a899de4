"""`margin-oracle admin`: acts of the owner, the guardian and the custodians, sent or printed for a multisig.

A command here returns its act and sends nothing; `_command` gives it the options that all share, shows the act in
words, tries it out, asks, and sends.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from oracle.admin import (
    Act,
    Way,
    acceptance,
    cancellation,
    guardian_act,
    market_change,
    owner_act,
    owner_change,
    rotation,
    status_lines,
)
from oracle.chain.contract import Contract, load_artefact
from oracle.chain.submission import simulate, submit
from oracle.chain.transactor import Transactor
from oracle.config import Address, Settings
from oracle.errors import BadConfiguration, CallReverted
from oracle.governance import read_governance
from oracle.keeper import build_client, build_transactor
from oracle.readers.oracle_state import ORACLE_VERSION
from oracle.reporting import configured
from oracle.terms import ZERO_ADDRESS, SignerTerms, TimingTerms
from oracle.terms_file import load_terms, parse_section
from oracle.types import BlockStamp
from oracle.units import UINT32_MAX

admin = typer.Typer(
    help="What owner, guardian and custodians may do; sent, or printed for a multisig by --calldata.",
    no_args_is_help=True,
)


def _address(text: str) -> str:
    try:
        return TypeAdapter(Address).validate_python(text)
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"]) from None


def _hash(text: str) -> bytes:
    digits = text.removeprefix("0x")
    if len(digits) != 64 or set(digits.lower()) - set("0123456789abcdef"):
        raise typer.BadParameter(f"{text!r} is not 64 hex digits")
    return bytes.fromhex(digits)


Config = Annotated[Path, typer.Option("--config", "-c", help="Configuration file.")]
Account = Annotated[str, typer.Argument(parser=_address, help="Address.", metavar="ADDRESS")]
Market = Annotated[int, typer.Argument(min=0, max=UINT32_MAX, help="Id of the market.")]
DEFAULT_CONFIG = Path("oracle.toml")

_SHARED = {
    "config": (Config, DEFAULT_CONFIG),
    "keystore": (
        Annotated[Path | None, typer.Option(help="Of the sender; by default signing.gas_keystore.")],
        None,
    ),
    "calldata": (
        Annotated[bool, typer.Option("--calldata", help="Print the call for a multisig; needs no key.")],
        False,
    ),
    "yes": (Annotated[bool, typer.Option("--yes", help="Do not ask.")], False),
}
_WAYS = {
    "propose": (Annotated[bool, typer.Option("--propose", help="Propose it.")], False),
    "execute": (Annotated[bool, typer.Option("--execute", help="Carry out what is proposed.")], False),
    "cancel": (Annotated[bool, typer.Option("--cancel", help="Drop what is proposed.")], False),
}
"""Without one: at once where nothing waits; else propose, or carry out what is proposed and ready."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What an act is made of besides its arguments."""

    oracle: Contract
    stamp: BlockStamp
    first_block: int
    sender: str
    """Whose key is open; empty when the act is only printed."""
    way: Way

    def change(self, function: str, *arguments: object) -> Act:
        """Return the owner's next call for a change."""
        return owner_change(self.oracle, self.stamp, self.way, function, *arguments)

    def guard(self, function: str, *arguments: object) -> Act:
        """Return a call of the guardian's."""
        return guardian_act(self.oracle, self.stamp, function, *arguments)


def _command(name: str, waits: bool = False) -> Callable[[Callable[..., Act]], Callable[..., Act]]:
    """Register a function that returns an act as a command that sends it; `waits`: it is a change of the owner's."""

    def register(make: Callable[..., Act]) -> Callable[..., Act]:
        own = list(inspect.signature(make, eval_str=True).parameters.values())[1:]
        options = [
            Parameter(key, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, (annotation, default) in (_WAYS | _SHARED if waits else _SHARED).items()
        ]

        def run(**values: Any) -> None:
            arguments = {one.name: values.pop(one.name) for one in own}
            _carry_out(lambda desk: make(desk, **arguments), **values)

        run.__doc__ = make.__doc__
        # typer has no options shared by commands: it reads them from the signature.
        run.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
        admin.command(name)(run)
        return make

    return register


# ---------------------------------------------------------------------- the owner


@_command("market", waits=True)
def market(
    desk: Desk,
    market_id: Market,
    terms: Annotated[Path, typer.Option("--terms", help="Terms in which the market stands as it is to be.")] = Path(
        "deployment.toml"
    ),
) -> Act:
    """Owner: add a market, or change its name and limits to what the terms say."""
    found = next((one for one in load_terms(terms).markets if one.market_id == market_id), None)
    if found is None:
        raise BadConfiguration(f"{terms} has no market {market_id}", "add it, or correct the number")
    return market_change(desk.oracle, desk.stamp, desk.way, market_id, found.name, found.as_struct())


@_command("signers", waits=True)
def signers(
    desk: Desk,
    threshold: Annotated[int, typer.Option(help="Signatures that a report needs.")],
    step_threshold: Annotated[int, typer.Option(help="What a report beyond the step needs.")],
    signer: Annotated[list[str], typer.Option(parser=_address, help="Address; once for each signer.")],
) -> Act:
    """Owner: replace the signer set; signatures in flight lose their worth."""
    values = {"threshold": threshold, "step_threshold": step_threshold, "addresses": signer}
    return desk.change("setSigners", parse_section(SignerTerms, values, "signers").as_struct())


@_command("timing", waits=True)
def timing(
    desk: Desk,
    heartbeat_seconds: Annotated[int, typer.Option(help="Age beyond which a margin is stale.")],
    dwell_seconds: Annotated[int, typer.Option(help="How long a looser margin waits.")],
    minimum_delay_seconds: Annotated[int, typer.Option(help="Shortest time between two rises of one market.")],
) -> Act:
    """Owner: change how reports and reads are timed."""
    values = {
        "heartbeat_seconds": heartbeat_seconds,
        "dwell_seconds": dwell_seconds,
        "minimum_delay_seconds": minimum_delay_seconds,
    }
    return desk.change("setTiming", parse_section(TimingTerms, values, "timing").as_struct())


@_command("guardian", waits=True)
def guardian(desk: Desk, account: Account) -> Act:
    """Owner: name another guardian; the zero address: none."""
    return desk.change("setGuardian", account)


@_command("owner-delay", waits=True)
def owner_delay(desk: Desk, seconds: Annotated[int, typer.Argument(min=0, max=UINT32_MAX, help="Seconds.")]) -> Act:
    """Owner: change how long the owner's changes wait."""
    return desk.change("setOwnerDelay", seconds)


@_command("grant-rotation", waits=True)
def grant_rotation(
    desk: Desk,
    custodian: Account,
    signer: Annotated[str, typer.Option(parser=_address, help="The signer it answers for; zero takes it back.")],
) -> Act:
    """Owner: let a custodian replace one signer."""
    return desk.change("grantRotation", custodian, signer)


@_command("transfer-ownership", waits=True)
def transfer_ownership(desk: Desk, account: Account) -> Act:
    """Owner: offer the ownership to another account, which accepts it; the zero address takes an offer back."""
    return desk.change("transferOwnership", account)


@_command("announce-calibration")
def announce_calibration(
    desk: Desk,
    content_hash: Annotated[bytes, typer.Argument(parser=_hash, help="Of the artefact.", metavar="HASH")],
    location: Annotated[str, typer.Argument(help="Where it is found.")],
) -> Act:
    """Owner: announce where the calibration of a content hash is found; changes nothing."""
    return owner_act(desk.oracle, desk.stamp, "announceCalibration", content_hash, location)


@_command("accept-ownership")
def accept_ownership(desk: Desk) -> Act:
    """Whom the ownership is on offer to: accept it."""
    return acceptance(desk.oracle, desk.stamp)


# ---------------------------------------------------------------------- guardian and custodians


@_command("pause")
def pause(desk: Desk) -> Act:
    """Guardian: pause posts; margins in force grow stale, nobody is liquidated by that."""
    return desk.guard("pause")


@_command("unpause")
def unpause(desk: Desk) -> Act:
    """Guardian: let posts go on."""
    return desk.guard("unpause")


@_command("cancel-pending")
def cancel_pending(desk: Desk, market_id: Market) -> Act:
    """Guardian: drop the looser margin that waits in a market."""
    return desk.guard("cancelPending", market_id)


@_command("void-accounts")
def void_accounts(desk: Desk) -> Act:
    """Guardian: void both accounts roots until the next report."""
    return desk.guard("voidAccounts")


@_command("cancel-change")
def cancel_change(
    desk: Desk,
    change_id: Annotated[bytes, typer.Argument(parser=_hash, help="As `status` shows it.", metavar="ID")],
) -> Act:
    """Guardian or owner: drop a proposed change; one of the guardian, the owner alone."""
    return cancellation(desk.oracle, desk.stamp, desk.first_block, change_id, desk.sender)


@_command("rotate-signer")
def rotate_signer(
    desk: Desk,
    new_signer: Account,
    custodian: Annotated[
        str, typer.Option(parser=_address, help="Who is to send it; needed with --calldata alone.")
    ] = ZERO_ADDRESS,
) -> Act:
    """Custodian: replace the one signer that it answers for, at once."""
    sender = desk.sender if custodian == ZERO_ADDRESS else custodian
    if not sender:
        raise BadConfiguration("--calldata without a key does not tell the custodian", "give --custodian")
    return rotation(desk.oracle, desk.stamp, desk.first_block, sender, new_signer)


# ---------------------------------------------------------------------- looking


@admin.command("status")
def status(config: Config = DEFAULT_CONFIG) -> None:
    """Show owner, guardian, times, signers, markets, and what is about to change."""
    with configured(config) as settings:
        oracle, stamp = _oracle(settings)
        governance = read_governance(oracle, stamp, settings.contracts.first_block)
        typer.echo("\n".join(status_lines(oracle, governance)))


# ---------------------------------------------------------------------- from an act to a transaction


def _carry_out(
    make: Callable[[Desk], Act],
    config: Path,
    keystore: Path | None,
    calldata: bool,
    yes: bool,
    **ways: bool,
) -> None:
    with configured(config) as settings:
        oracle, stamp = _oracle(settings)
        transactor = None if calldata else build_transactor(settings, oracle.client, keystore)
        sender = transactor.address if transactor else ""
        act = make(Desk(oracle, stamp, settings.contracts.first_block, sender, _way(ways)))
        if transactor is None:
            _print(oracle, act)
        else:
            _send(oracle, transactor, act, yes)


def _oracle(settings: Settings) -> tuple[Contract, BlockStamp]:
    client = build_client(settings)
    oracle = Contract(client, settings.contracts.oracle, load_artefact("MarginOracle").interface)
    stamp = client.head()
    oracle.require(stamp, ORACLE_VERSION)
    return oracle, stamp


def _way(chosen: dict[str, bool]) -> Way:
    named = [name for name, is_chosen in chosen.items() if is_chosen]
    if len(named) > 1:
        raise BadConfiguration(f"--{' and --'.join(named)} are different calls", "give one of them")
    return Way(named[0]) if named else Way.NEXT


def _print(oracle: Contract, act: Act) -> None:
    """Print the call as JSON and, beside it, what it does; one that is refused by now may be allowed later."""
    call = {
        "chain_id": oracle.client.chain_id,
        "from": act.sender,
        "to": act.to,
        "value": "0",
        "data": "0x" + act.data.hex(),
    }
    typer.echo(f"{act.sender} is to {act.words}", err=True)
    try:
        simulate(oracle.client, act.sender, act.to, act.data, oracle.reasons)
    except CallReverted as error:
        typer.echo(f"refused at this moment: {error}", err=True)
    typer.echo(json.dumps(call, indent=1))


def _send(oracle: Contract, transactor: Transactor, act: Act, yes: bool) -> None:
    if transactor.address != act.sender:
        raise BadConfiguration(
            f"the key is that of {transactor.address}, and {act.sender} is to {act.words}",
            "give that account's --keystore, or --calldata",
        )
    simulate(oracle.client, act.sender, act.to, act.data, oracle.reasons)
    typer.echo(f"{act.sender} is to {act.words}")
    if not yes:
        typer.confirm(f"Send it to {act.to} on chain {oracle.client.chain_id}?", abort=True)
    receipt = submit(transactor, act.to, act.data, reasons=oracle.reasons)
    typer.echo(f"done in block {receipt.block_number}, transaction 0x{receipt.transaction_hash.hex()}")
