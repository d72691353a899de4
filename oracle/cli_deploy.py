"""`margin-oracle deploy`: terms, a plan, what is done of it, and whether a chain holds what was deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from oracle.chain.client import ChainClient
from oracle.chain.transaction import Receipt
from oracle.config import LogSettings, Settings, load_settings
from oracle.deploy import Plan, Step, apply, make_plan
from oracle.deploy_record import Record, make_record, read_record, write_record
from oracle.deployed import creations, differences, oracle_of
from oracle.errors import BadConfiguration, Difference
from oracle.keeper import build_client, build_transactor
from oracle.reporting import reporting
from oracle.terms import Terms
from oracle.terms_file import load_terms, write_blank

deploying = typer.Typer(help="Deploy an oracle by its terms, and check one that was.", no_args_is_help=True)

DEFAULT_TERMS = Path("deployment.toml")
DEFAULT_RECORD = Path("deployment.json")
TermsFile = Annotated[Path, typer.Option("--terms", help="What is to be deployed; `deploy init` writes a blank one.")]
RecordFile = Annotated[Path, typer.Option("--file", help="Deployment file: what was deployed, where and by what.")]
Config = Annotated[Path, typer.Option("--config", "-c", help="Configuration with endpoints and the deployer's key.")]
Rpc = Annotated[str, typer.Option(help="An endpoint; then no configuration is read.")]
FirstBlock = Annotated[
    int | None, typer.Option(min=0, help="A block before the oracle's creation, where the deployment file is lost.")
]


@deploying.command("init")
def deploy_init(path: Annotated[Path, typer.Argument(help="File to write.")] = DEFAULT_TERMS) -> None:
    """Write terms with a comment on every key; the addresses are to be filled in."""
    with reporting(LogSettings()):
        write_blank(path)
        typer.echo(f"wrote {path}")


@deploying.command("plan")
def deploy_plan(
    terms: TermsFile = DEFAULT_TERMS,
    file: RecordFile = DEFAULT_RECORD,
    config: Config = Path("oracle.toml"),
    rpc: Rpc = "",
    first_block: FirstBlock = None,
    calldata: Annotated[bool, typer.Option("--calldata", help="Show what each step sends, too.")] = False,
) -> None:
    """Print the addresses and each step, with whether it is done; sends nothing and needs no key."""
    with reporting(LogSettings()):
        read = load_terms(terms)
        client = _client(read, config, rpc)
        _show(read, make_plan(client, client.head(), read, _first_block(file, read, first_block)), calldata)


@deploying.command("apply")
def deploy_apply(
    terms: TermsFile = DEFAULT_TERMS,
    file: RecordFile = DEFAULT_RECORD,
    config: Config = Path("oracle.toml"),
    keystore: Annotated[
        Path | None, typer.Option(help="The deployer's; by default signing.gas_keystore of the configuration.")
    ] = None,
    first_block: FirstBlock = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Send the steps that are not done, read everything back, and offer the ownership to the final owner.

    May be interrupted anywhere and run again.
    """
    with reporting(LogSettings()):
        read, settings = load_terms(terms), load_settings(config)
        client = _client(read, config, "")
        transactor = build_transactor(settings, client, keystore)
        since = _first_block(file, read, first_block)
        head = client.head()
        plan = make_plan(client, head, read, since)
        _show(read, plan, calldata=False)
        left = sum(not step.is_done for step in plan.steps)
        if left and not yes:
            typer.confirm(f"Send {left} transactions from {transactor.address} on chain {read.chain_id}?", abort=True)
        since = head.number if since is None else since
        write_record(file, make_record(client, head, read, since))
        apply(transactor, read, since, _tell)
        record = make_record(client, client.head(), read, since)
        write_record(file, record)
        _show_end(client, record, file)


@deploying.command("verify")
def deploy_verify(file: RecordFile = DEFAULT_RECORD, config: Config = Path("oracle.toml"), rpc: Rpc = "") -> None:
    """Compare a chain with a deployment file: code byte for byte, state value by value; non-zero on a difference."""
    with reporting(LogSettings()):
        record = read_record(file)
        terms = record.terms
        client = _client(terms, config, rpc)
        head = client.head()
        found = differences(client, head, terms, record.first_block)
        if found:
            typer.echo("\n".join(found))
            raise Difference(f"the chain differs from {file} in {len(found)}", "`margin-oracle admin status` says more")
        addresses = ", ".join(f"{one.name} {one.address}" for one in record.contracts)
        typer.echo(f"equal: {addresses} on chain {terms.chain_id} in block {head.number}\n{_owner_line(client, terms)}")


def _client(terms: Terms, config: Path, rpc: str) -> ChainClient:
    if rpc:
        # A local chain's clock may be made up.
        return ChainClient([rpc], terms.chain_id, maximum_head_age_seconds=None if terms.is_local_chain else 120)
    settings = load_settings(config)
    _require_same_chain(settings, terms)
    return build_client(settings)


def _require_same_chain(settings: Settings, terms: Terms) -> None:
    if settings.chain.chain_id != terms.chain_id:
        raise BadConfiguration(
            f"the terms are for chain {terms.chain_id}, the configuration for {settings.chain.chain_id}",
            "use the configuration of that chain",
        )


def _first_block(file: Path, terms: Terms, named: int | None) -> int | None:
    """Return the block to search events from: the one named, else the one in the file of this deployment."""
    if named is not None or not file.exists():
        return named
    record = read_record(file)
    recorded, planned = record.oracle_address, creations(terms)[0].address
    if recorded != planned:
        raise BadConfiguration(
            f"{file} is of the deployment at {recorded}, the terms lead to {planned}", "name another --file"
        )
    return record.first_block


def _show(terms: Terms, plan: Plan, calldata: bool) -> None:
    typer.echo(f"terms {terms.content_hash()} for chain {terms.chain_id}, deployer {terms.deployer}")
    for number, step in enumerate(plan.steps, 1):
        words = step.words.replace("; ", ";\n            ")
        typer.echo(f"{number:>3}  {'done ' if step.is_done else 'to do'}  {words}")
        if calldata:
            typer.echo(f"            to {step.to}, data 0x{step.data.hex()}")


def _tell(step: Step, receipt: Receipt) -> None:
    typer.echo(f"0x{receipt.transaction_hash.hex()} in block {receipt.block_number}: {step.words.partition(':')[0]}")


def _show_end(client: ChainClient, record: Record, file: Path) -> None:
    terms = record.terms
    threshold, step_threshold, signers = terms.signers.as_struct()
    typer.echo(f"read back: code and state are what the terms say; wrote {file}\n{_owner_line(client, terms)}")
    typer.echo("for the configuration of keepers:\n\n[contracts]")
    keys = {
        "oracle": record.oracle_address,
        "lens": next((one.address for one in record.contracts if one.name == "BookLens"), ""),
        "first_block": record.first_block,
        "signers": signers,
        "threshold": threshold,
        "step_threshold": step_threshold,
    }
    for key, value in keys.items():
        typer.echo(f"{key} = {json.dumps(value)}")


def _owner_line(client: ChainClient, terms: Terms) -> str:
    owner = oracle_of(client, terms).call(client.head(), "owner")
    if owner == terms.owner:
        return f"owner {owner}"
    return f"owner {owner} until {terms.owner} accepts by `margin-oracle admin accept-ownership`"
