"""The command line: builds everything once from the configuration and passes it down."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from oracle import bench
from oracle.cli_admin import admin
from oracle.cli_deploy import deploying
from oracle.cli_keys import keys
from oracle.config import LogSettings, Settings, write_settings
from oracle.cycle import CycleResult, run_cycle
from oracle.demo.story import run_demo, run_devnet
from oracle.doctor import examine
from oracle.errors import BadData, Difference
from oracle.journal import Journal, ReportRow
from oracle.keeper import LiveKeeper, build_calibration, build_client, build_keeper
from oracle.logs import redact_text
from oracle.margin_tables import show_margin
from oracle.portfolio import read_portfolio
from oracle.readers.history import read_history
from oracle.recalibration import Outcome, recalibrate, recalibrate_on_schedule, seconds_until_due
from oracle.reporting import configured, reporting
from oracle.scheduler import BackgroundWork, Daemon
from oracle.types import Hold
from oracle.units import SECONDS_PER_HOUR
from oracle.valuation import calibrate_history, load_calibration, save_calibration, summary, with_preset
from oracle.valuation.portfolio import portfolio_margin
from oracle.valuation.portfolio_past import past_of
from oracle.valuation.scale import LEAST_SCENARIOS, Size
from oracle.verify import verify_report

app = typer.Typer(
    help="Conservative, recomputable margin requirements for derivatives protocols, posted on chain by a quorum.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(keys, name="keys")
app.add_typer(deploying, name="deploy")
app.add_typer(admin, name="admin")
benchmarks = typer.Typer(help="What a valuation costs, on a simulated history.", no_args_is_help=True)
app.add_typer(benchmarks, name="bench")

Config = Annotated[Path, typer.Option("--config", "-c", help="Configuration file.")]
DEFAULT_CONFIG = Path("oracle.toml")


@app.command()
def demo(
    history: Annotated[Path | None, typer.Option(help="Directory of real hourly price files; else simulated.")] = None,
    rpc: Annotated[str, typer.Option(help="An Anvil that already runs, instead of a built-in one.")] = "",
    chain_id: Annotated[int, typer.Option(help="Its chain id.")] = 31_337,
    serve: Annotated[bool, typer.Option("--serve", help="Keep chain and keeper up until interrupted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
    directory: Annotated[Path | None, typer.Option(help="Where configuration, keys and journal go.")] = None,
) -> None:
    """Run the main job on a local chain: three cycles at three prices, a proof, a refusal, a liquidation."""
    with reporting(LogSettings(level="error")):
        raise typer.Exit(run_demo(_console(), history, rpc, chain_id, serve, as_json, directory))


@app.command()
def devnet(
    history: Annotated[Path | None, typer.Option(help="Directory of real hourly price files; else simulated.")] = None,
    directory: Annotated[Path | None, typer.Option(help="Where configuration, keys and journal go.")] = None,
) -> None:
    """Start a local chain with everything deployed and one report posted; stays up until interrupted."""
    with reporting(LogSettings(level="error")):
        raise typer.Exit(run_devnet(_console(), history, directory))


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = DEFAULT_CONFIG,
    preset: Annotated[str, typer.Option(help="Measure of: occ, emir, emir_otc, basel.")] = "",
) -> None:
    """Write a configuration file with a comment on every key."""
    with reporting(LogSettings()):
        settings = Settings()
        if preset:
            settings = settings.model_copy(update={"model": with_preset(settings.model, preset)})
        write_settings(path, settings)
        typer.echo(f"wrote {path}")


@app.command()
def calibrate(
    history: Annotated[Path, typer.Option(help="Directory of hourly price files, one a symbol.")],
    symbols: Annotated[str, typer.Option(help="Comma-separated.")] = "ETH,BTC",
    source: Annotated[list[Path] | None, typer.Option(help="Directory of a further venue; may be repeated.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Fit the calibration artefact to a price history and write it where the configuration says."""
    with configured(config) as settings:
        read = read_history(history, [symbol.strip() for symbol in symbols.split(",")], sources=source or [])
        calibration = calibrate_history(read, settings.model)
        path = settings.path(settings.calibration.artefact)
        save_calibration(path, calibration)
        typer.echo("\n".join(summary(calibration)))
        typer.echo(f'wrote {path}\ncontent_hash = "{calibration.content_hash}"')


@app.command("recalibrate")
def recalibrate_once(
    config: Config = DEFAULT_CONFIG,
    adopt_despite_drift: Annotated[
        bool, typer.Option("--adopt-despite-drift", help="Adopt what left its band: after a person has looked at it.")
    ] = False,
) -> None:
    """Fit a new calibration and adopt it if nothing drifted; non-zero when it is held back.

    A daemon that runs takes it from its next cycle on.
    """
    with configured(config) as settings, Journal(settings.path(settings.storage.journal)) as journal:
        row = recalibrate(settings, journal, lambda: int(time.time()), adopt_despite_drift)
        typer.echo(f"{row.outcome}: {row.hash_before} -> {row.hash_after}\n{row.reason}")
        raise typer.Exit(BadData.exit_code if row.outcome == Outcome.HELD_BACK else 0)


@app.command()
def margin(
    portfolio: Annotated[Path, typer.Option(help="JSON file of a portfolio and its market; see docs/portfolio.md.")],
    calibration: Annotated[Path | None, typer.Option(help="Calibration artefact.")] = None,
    history: Annotated[
        Path | None, typer.Option(help="Directory of hourly price files to calibrate on at once; else simulated.")
    ] = None,
    venues: Annotated[bool, typer.Option("--venues", help="Show what venues' matrices ask beside ours.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the requirements of a portfolio and what they are made of: by component, leg, underlying, scenario."""
    with reporting(LogSettings(level="error")):
        read = read_portfolio(portfolio)
        result = portfolio_margin(read, past_of(read, calibration, history), venues)
        if as_json:
            typer.echo(json.dumps(result.to_json(), indent=1))
        else:
            show_margin(_console(), result)


@app.command()
def once(
    config: Config = DEFAULT_CONFIG,
    dry_run: Annotated[
        bool | None, typer.Option("--dry-run/--post", help="Default: dry without a signing key, posting with one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON object.")] = False,
) -> None:
    """Run one cycle; a dry run does everything but signing and sending."""
    with configured(config) as settings:
        keeper = build_keeper(settings, not settings.signing.keystores if dry_run is None else dry_run)
        result = run_cycle(keeper)
        outcome = _outcome(result)
        typer.echo(json.dumps(outcome) if as_json else "\n".join(f"{k}: {v}" for k, v in outcome.items()))


@app.command()
def run(config: Config = DEFAULT_CONFIG) -> None:
    """Run the daemon: a cycle at every interval; drains on SIGTERM, exits non-zero on a fatal error."""
    with configured(config) as settings:
        live = LiveKeeper(settings)
        journal = live.current().journal
        background = _recalibration(settings, journal) if settings.calibration.interval_hours else None
        daemon = Daemon(lambda: _discard(run_cycle(live.current())), settings.schedule, background)
        exit_code = daemon.run()
        if not daemon.drained:
            # An ordinary exit waits for the threads; the journal holds what a cycle had begun, and a calibration
            # is adopted whole or not at all.
            os._exit(exit_code)
        journal.close()
        raise typer.Exit(exit_code)


@app.command()
def verify(
    sequence: Annotated[int, typer.Argument(help="Sequence number of the report.", min=1)],
    artefact: Annotated[
        Path | None, typer.Option(help="The calibration of that time, where another is in use by now.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Recompute a posted report from its block and compare every integer; non-zero on a difference.

    Details that this keeper's journal holds for the report are compared too.
    """
    with configured(config) as settings:
        stored = _stored_reports(settings, sequence)
        calibration = load_calibration(artefact) if artefact else build_calibration(settings)
        result = verify_report(build_client(settings), settings, calibration, sequence, stored)
        if result.differences:
            raise Difference(
                f"report {sequence} differs in {len(result.differences)}: " + "; ".join(result.differences),
                "compare calibration, configuration and version with the keeper that posted it",
            )
        compared = "and the stored details " if result.stored_details else ""
        typer.echo(
            f"equal: report {sequence} of block {result.reference_block}, {result.markets} markets, "
            f"{result.accounts} accounts {compared}(transaction 0x{result.transaction_hash.hex()})"
        )


@app.command()
def doctor(config: Config = DEFAULT_CONFIG) -> None:
    """Look at configuration, endpoints, contracts, keys, gas and clock; each line passes or says what to do."""
    with configured(config) as settings:
        failed = 0
        for check in examine(settings):
            failed += not check.passed
            typer.echo(redact_text(f"{'pass' if check.passed else 'FAIL'}  {check.name}: {check.finding}"))
        raise typer.Exit(1 if failed else 0)


@benchmarks.command("scale")
def bench_scale(
    accounts: Annotated[int, typer.Option(min=1, help="Accounts of the smallest size.")] = bench.SMALLEST.accounts,
    positions: Annotated[int, typer.Option(min=1, help="Positions of each account.")] = bench.SMALLEST.positions,
    instruments: Annotated[int, typer.Option(min=5, help="A multiple of 5.")] = bench.SMALLEST.instruments,
    scenarios: Annotated[int, typer.Option(min=LEAST_SCENARIOS, help="Historical paths.")] = bench.SMALLEST.scenarios,
    workers: Annotated[int, typer.Option(min=0, help="Most worker processes to try; needs the extra cluster.")] = 2,
    full: Annotated[
        bool, typer.Option("--full", help="A million accounts too; a quarter of an hour of CPU time.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array as the last line.")] = False,
) -> None:
    """Measure how CPU time, wall time and memory grow with accounts, positions, instruments, scenarios and workers."""
    with reporting(LogSettings(level="error")):
        console = Console(stderr=as_json) if sys.stdout.isatty() else Console(stderr=as_json, width=120)
        if workers and find_spec("distributed") is None:
            console.print("workers: not measured, the extra is not installed (pip install -e .[cluster])")
            workers = 0
        rows = bench.run_ladders(Size(accounts, positions, instruments, scenarios), workers, full)
        bench.show(console, rows)
        if as_json:
            typer.echo(json.dumps(bench.as_json(rows)))


def main() -> None:
    """Entry point of `margin-oracle`."""
    app()


def _console() -> Console:
    # Without a terminal Rich assumes 80 columns, too few for the tables.
    console = Console()
    return console if console.is_terminal else Console(width=130)


def _recalibration(settings: Settings, journal: Journal) -> BackgroundWork:
    def clock() -> int:
        return int(time.time())

    return BackgroundWork(
        lambda: recalibrate_on_schedule(settings, journal, clock),
        settings.calibration.interval_hours * SECONDS_PER_HOUR,
        seconds_until_due(settings, journal, clock()),
    )


def _outcome(result: CycleResult) -> dict[str, object]:
    posting = result.posting
    return {
        "block": result.draft.snapshot.stamp.number,
        "sequence": result.draft.target.sequence,
        "decision": "hold" if isinstance(result.decision, Hold) else "update",
        "reason": result.decision.reason,
        "accounts": result.draft.target.account_count,
        "accounts_root": "0x" + result.draft.target.accounts_root.hex(),
        "posted": posting is not None,
        "transaction_hash": "0x" + posting.transaction_hash.hex() if posting else None,
    }


def _stored_reports(settings: Settings, sequence: int) -> tuple[ReportRow, ...]:
    path = settings.path(settings.storage.journal)
    if not path.exists():
        return ()
    with Journal(path) as journal:
        return journal.reports(sequence)


def _discard(_: CycleResult) -> None:
    """The daemon needs no result: what happened is in the journal and the log."""
