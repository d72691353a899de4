"""The whole line on a real chain: what is posted can be recomputed, and bad input posts nothing."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from oracle import verify
from oracle.chain.contract import load_artefact
from oracle.chain.devnet import mine, mine_at, revert_to_snapshot, take_snapshot
from oracle.chain.submission import execute
from oracle.cli import app
from oracle.config import Settings, load_settings, render_settings
from oracle.cycle import CycleResult, run_cycle
from oracle.demo.stage import Stage, open_stage
from oracle.demo.world import OWNER_DELAY_SECONDS, TIMING, move_prices
from oracle.errors import (
    BadBook,
    BadData,
    BadPrice,
    Fatal,
    LockedKeystore,
    NotEnoughSignatures,
    SignerNotInSet,
    StorageFailure,
    WrongChain,
)
from oracle.keeper import LiveKeeper, build_keeper
from oracle.readers.oracle_state import read_oracle_state
from oracle.recalibration import Outcome, recalibrate, stored_path
from oracle.scheduler import EXIT_NOT_DRAINED
from oracle.types import Hold, PostedMarket, Update
from oracle.verify import detail_differences, verify_report

pytestmark = pytest.mark.chain

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def set_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("demo") / "stage"
    with open_stage(Console(quiet=True), None, "", 31_337, folder) as stage:
        yield stage


@pytest.fixture
def stage(set_stage: Stage) -> Iterator[Stage]:
    """The stage as it was set; what a test does to the chain and the journal is undone."""
    journal = set_stage.settings.path(set_stage.settings.storage.journal)
    set_stage.keeper.journal.close()
    for path in journal.parent.glob(journal.name + "*"):
        path.unlink()
    mark = take_snapshot(set_stage.world.client)
    yield replace(set_stage, keeper=build_keeper(set_stage.settings, dry_run=False))
    revert_to_snapshot(set_stage.world.client, mark)


def cli(stage: Stage, *arguments: str) -> Result:
    config = stage.settings.directory / "oracle.toml"
    return CliRunner().invoke(app, [*arguments, "--config", str(config)])


def with_settings(stage: Stage, name: str, **sections: dict[str, object]) -> Path:
    """Write a variation of the stage's configuration beside it and return its path."""
    settings = stage.settings
    for section, values in sections.items():
        changed = getattr(settings, section).model_copy(update=values)
        settings = settings.model_copy(update={section: changed})
    path = settings.directory / f"{name}.toml"
    path.write_text(render_settings(settings))
    return path


def refreshed(stage: Stage, seconds: int, moves_ppm: tuple[int, int] = (0, 0)) -> Stage:
    """Let time pass and push fresh prices at its end."""
    timestamp = stage.world.client.head().timestamp + seconds
    return replace(stage, world=move_prices(stage.world, timestamp, moves_ppm))


def last_sequence(stage: Stage) -> int:
    client = stage.world.client
    return int(stage.world.deployment.oracle.call(client.head(), "lastSequence"))


def markets_held(stage: Stage) -> tuple[PostedMarket, ...]:
    client, oracle = stage.world.client, stage.world.deployment.oracle
    return read_oracle_state(client, oracle.address, range(1, 21), client.head()).markets


def posted(stage: Stage) -> CycleResult:
    result = run_cycle(stage.keeper)
    assert isinstance(result.decision, Update) and result.posting is not None
    return result


# ---------------------------------------------------------------------- recomputing


def test_a_posted_report_is_recomputed_equal_from_its_block(stage: Stage) -> None:
    result = posted(stage)
    # Later blocks and prices change nothing: the report is recomputed from the state of its own block.
    later = refreshed(stage, 600, (50_000, -50_000))
    stored = stage.keeper.journal.reports(1)
    found = verify_report(later.world.client, stage.settings, stage.keeper.calibration, 1, stored)
    assert found.differences == () and found.stored_details
    assert (found.markets, found.accounts) == (20, len(result.draft.snapshot.book))
    shown = cli(stage, "verify", "1")
    assert shown.exit_code == 0 and "equal" in shown.output and "stored details" in shown.output


def test_a_stored_price_changed_by_one_unit_is_named(stage: Stage) -> None:
    posted(stage)
    journal = stage.settings.path(stage.settings.storage.journal)
    with sqlite3.connect(journal) as connection:
        (text,) = connection.execute("select details from reports").fetchone()
        details = json.loads(text)
        details["inputs"]["underlyings"]["ETH"]["price_e8"] += 1
        connection.execute("update reports set details = ?", (json.dumps(details),))
    connection.close()
    shown = cli(stage, "verify", "1")
    assert shown.exit_code == 1
    assert "details.inputs.underlyings.ETH.price_e8: stored" in shown.output
    assert "stored details hash" in shown.output


def test_a_stored_report_that_lost_the_race_is_not_compared(stage: Stage) -> None:
    """Another keeper's report took the number: what this one had signed for it is no difference."""
    posted(stage)
    (row,) = stage.keeper.journal.reports(1)
    stage.keeper.journal.record_report(replace(row, digest=bytes(32), details="{}"))
    shown = cli(stage, "verify", "1")
    assert shown.exit_code == 0 and "stored details" in shown.output


def test_stored_details_that_are_damaged_are_said_so(stage: Stage) -> None:
    posted(stage)
    (row,) = stage.keeper.journal.reports(1)
    damaged = replace(row, details=row.details[:-1])
    with pytest.raises(StorageFailure, match="not JSON"):
        verify_report(stage.world.client, stage.settings, stage.keeper.calibration, 1, [damaged])


def test_another_model_is_found_out(stage: Stage) -> None:
    posted(stage)
    other = with_settings(stage, "other", model={"gross_weight_ppm": 300_000})
    shown = CliRunner().invoke(app, ["verify", "1", "--config", str(other)])
    assert shown.exit_code == 1 and "model_hash" in shown.output and "details.model.gross_weight_ppm" in shown.output


def test_an_old_report_is_found_range_by_range(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    posted(stage)
    mine(stage.world.client, 30)
    monkeypatch.setattr(verify, "BLOCKS_PER_SEARCH", 7)
    found = verify_report(stage.world.client, stage.settings, stage.keeper.calibration, 1)
    assert found.differences == ()


def test_a_report_that_was_never_posted_is_said_so(stage: Stage) -> None:
    shown = cli(stage, "verify", "7")
    assert shown.exit_code == BadData.exit_code and "no report with sequence 7" in shown.output


def test_detail_differences_name_each_leaf() -> None:
    stored = {"a": [1, {"b": 2}], "c": 3, "d": 4}
    own = {"a": [1, {"b": 5}], "c": "3", "e": 4}
    assert detail_differences(stored, own) == [
        "details.a[1].b: stored 2, recomputed 5",
        "details.c: stored 3, recomputed 3",
        "details.d: only in the stored details",
        "details.e: only in the recomputed details",
    ]
    assert detail_differences(stored, stored) == []


# ---------------------------------------------------------------------- deciding


def test_nothing_new_is_a_hold_that_is_recorded(stage: Stage) -> None:
    posted(stage)
    mine_at(stage.world.client, stage.world.client.head().timestamp + 5)
    result = run_cycle(stage.keeper)
    assert isinstance(result.decision, Hold) and result.posting is None
    assert [row.decision for row in stage.keeper.journal.cycles(2)] == ["hold", "update"]
    assert last_sequence(stage) == 1


def test_a_dry_run_posts_nothing(stage: Stage) -> None:
    shown = cli(stage, "once", "--dry-run", "--json")
    assert shown.exit_code == 0, shown.output
    outcome = json.loads(shown.stdout.splitlines()[-1])
    assert outcome["decision"] == "update" and outcome["posted"] is False
    assert last_sequence(stage) == 0


def test_a_lower_ratio_waits_out_the_dwell_and_its_reports_verify(stage: Stage) -> None:
    """After a crash some calls cost less: in force only once the dwell is over, and posted once for each step."""
    posted(stage)
    crashed = refreshed(stage, 3_600, (-100_000, -100_000))
    posted(crashed)
    waiting = [market for market in markets_held(crashed) if market.pending]
    assert waiting
    soon = refreshed(crashed, 60)
    held = run_cycle(soon.keeper).decision
    assert isinstance(held, Hold) and f"loosenings that wait: {len(waiting)}" in held.reason
    applied = posted(refreshed(soon, TIMING.dwell_seconds)).decision
    assert "a loosening's time has come" in applied.reason
    after = {market.market_id: market.margin for market in markets_held(soon)}
    pairs = [pair for m in waiting for pair in zip(after[m.market_id].values(), m.margin.values(), strict=True)]
    assert any(now < before for now, before in pairs)
    for sequence in (2, 3):
        found = verify_report(stage.world.client, stage.settings, stage.keeper.calibration, sequence)
        assert found.differences == ()


def test_a_paused_oracle_is_a_hold_with_an_alert(stage: Stage) -> None:
    world = stage.world
    execute(world.actors.guardian, world.deployment.oracle, "pause")
    with capture_logs() as logs:
        result = run_cycle(stage.keeper)
    assert result.decision == Hold("posts are paused by the guardian") and last_sequence(stage) == 0
    assert [entry["event"] for entry in logs if entry.get("alert")] == ["posts_paused"]
    shown = cli(stage, "doctor")
    assert shown.exit_code == 1 and "FAIL  posts" in shown.output and "paused by the guardian" in shown.output
    execute(world.actors.guardian, world.deployment.oracle, "unpause")
    mine(world.client)
    posted(stage)


def test_without_the_higher_quorum_the_largest_step_is_posted(stage: Stage) -> None:
    posted(stage)
    crashed = refreshed(stage, 3_600, (-250_000, -250_000))
    two = replace(stage.keeper, attestors=stage.keeper.attestors[:2])
    result = posted(replace(crashed, keeper=two))
    assert isinstance(result.decision, Update)
    report = result.decision.report
    assert not report.exceeds_step and len(result.signatures) == 2
    target = {market.market_id: market for market in result.draft.target.markets}
    short_of_target = [m for m in report.markets if m != target[m.market_id]]
    assert short_of_target
    assert any(v < t for m in short_of_target for v, t in zip(m.values(), target[m.market_id].values(), strict=True))
    assert result.posting is not None and result.posting.refused_market_ids == ()
    assert [row.urgent for row in stage.keeper.journal.transactions()] == [False, True], (
        "the rise is needed all the more"
    )


def test_with_the_higher_quorum_the_whole_rise_is_posted(stage: Stage) -> None:
    posted(stage)
    result = posted(refreshed(stage, 3_600, (-250_000, -250_000)))
    assert isinstance(result.decision, Update) and result.decision.report.exceeds_step
    assert len(result.signatures) == 3
    # Whole rises; falls no faster than the contract's rate, which no quorum lifts.
    for market, target in zip(result.decision.report.markets, result.draft.target.markets, strict=True):
        assert all(value >= wanted for value, wanted in zip(market.values(), target.values(), strict=True))
    assert result.decision.report.markets[0].initial_long_ppm == result.draft.target.markets[0].initial_long_ppm


# ---------------------------------------------------------------------- bad input


def test_fewer_than_the_needed_signers_post_nothing(stage: Stage) -> None:
    alone = replace(stage.keeper, attestors=stage.keeper.attestors[:1])
    with pytest.raises(NotEnoughSignatures, match="1 of 2"):
        run_cycle(alone)
    assert last_sequence(stage) == 0
    assert [row.decision for row in stage.keeper.journal.cycles(1)] == ["hold"]


def test_incident_i3_a_stale_price_stops_the_cycle(stage: Stage) -> None:
    mine_at(stage.world.client, stage.world.client.head().timestamp + 7_200)
    with pytest.raises(BadPrice, match=r"ETH price .* s old, 3900 s allowed"):
        run_cycle(stage.keeper)
    assert last_sequence(stage) == 0
    assert cli(stage, "once", "--post").exit_code == BadPrice.exit_code


def test_an_expired_option_asks_for_settlement(stage: Stage) -> None:
    expiry = min(i.expiry_timestamp for i in stage.world.instruments if i.expiry_timestamp)
    late = refreshed(stage, expiry + 60 - stage.world.client.head().timestamp)
    with pytest.raises(BadBook, match="call settle"):
        run_cycle(late.keeper)
    assert last_sequence(stage) == 0


def test_settled_options_are_cash_and_the_keeper_goes_on(stage: Stage) -> None:
    world = stage.world
    expiry = min(i.expiry_timestamp for i in world.instruments if i.expiry_timestamp)
    before = refreshed(stage, expiry - 60 - world.client.head().timestamp)
    late = refreshed(before, 120)
    for instrument in world.instruments:
        if instrument.expiry_timestamp == expiry:
            feed = world.deployment.feeds[instrument.underlying]
            rounds = int(feed.call(world.client.head(), "latestRoundData")[0])
            execute(world.actors.owner, world.deployment.exchange, "settle", instrument.instrument_id, rounds - 1)
    result = posted(late)
    snapshot, accounts = result.draft.snapshot, result.draft.valuation.accounts
    assert any(instrument.settlement_price_e8 for instrument in snapshot.instruments)
    # The venue's own equity is the check on ours: marks differ by rounding alone, option marks by the two formulae.
    for account in range(0, len(snapshot.book), 10):
        address = "0x" + snapshot.book.address[account].tobytes().hex()
        theirs = int(world.deployment.exchange.call(snapshot.stamp, "equityMicro", address))
        assert abs(int(accounts.equity_micro[account]) - theirs) < 1_000_000, address


def test_wrong_chain_id_is_fatal(stage: Stage) -> None:
    other = with_settings(stage, "chain", chain={"chain_id": 1})
    shown = CliRunner().invoke(app, ["once", "--dry-run", "--config", str(other)])
    assert shown.exit_code == WrongChain.exit_code
    assert "31337" in shown.output and "WrongChain" in shown.output


@pytest.mark.parametrize("section", ["oracle", "exchange"])
def test_no_contract_at_the_address_is_fatal(stage: Stage, section: str) -> None:
    nobody = "0x00000000000000000000000000000000000000AA"
    other = with_settings(stage, "nobody", contracts={section: nobody})
    shown = CliRunner().invoke(app, ["once", "--dry-run", "--config", str(other)])
    assert shown.exit_code == Fatal.exit_code and nobody.lower() in shown.output.lower()


@pytest.mark.parametrize("section", ["oracle", "exchange"])
def test_another_contract_at_the_address_is_fatal(stage: Stage, section: str) -> None:
    dollar = stage.world.deployment.dollar.address
    other = with_settings(stage, "dollar", contracts={section: dollar})
    shown = CliRunner().invoke(app, ["once", "--dry-run", "--config", str(other)])
    assert shown.exit_code == Fatal.exit_code and "WrongContract" in shown.output


def test_a_locked_keystore_is_fatal_and_shows_no_secret(stage: Stage) -> None:
    (stage.settings.directory / "wrong").write_text("not the password")
    other = with_settings(stage, "locked", signing={"password_file": "wrong"})
    shown = CliRunner().invoke(app, ["once", "--config", str(other)])
    assert shown.exit_code == LockedKeystore.exit_code
    assert "not the password" not in shown.output
    assert last_sequence(stage) == 0


def test_a_signer_outside_the_set_is_fatal(stage: Stage) -> None:
    keystores = ("gas.json", "signer-1.json")
    other = with_settings(stage, "stranger", signing={"keystores": keystores, "gas_keystore": "signer-2.json"})
    shown = CliRunner().invoke(app, ["once", "--config", str(other)])
    assert shown.exit_code == Fatal.exit_code and "SignerNotInSet" in shown.output


def test_another_signer_set_than_configured_is_fatal(stage: Stage) -> None:
    other = with_settings(stage, "set", contracts={"threshold": 3})
    shown = CliRunner().invoke(app, ["once", "--config", str(other)])
    assert shown.exit_code == Fatal.exit_code and "do not hash" in shown.output


def test_signers_that_change_while_the_daemon_runs_are_fatal(stage: Stage) -> None:
    posted(stage)
    world = stage.world
    others = sorted((world.actors.owner.address, *stage.settings.contracts.signers[:2]), key=lambda one: int(one, 16))
    oracle, owner = world.deployment.oracle, world.actors.owner
    change = oracle.interface.encode("setSigners", (2, 3, others))
    execute(owner, oracle, "proposeChange", change)
    later = refreshed(stage, OWNER_DELAY_SECONDS)
    execute(owner, oracle, "executeChange", change)
    mine(world.client)
    with pytest.raises(SignerNotInSet, match="epoch 2"):
        run_cycle(later.keeper)
    assert last_sequence(stage) == 1


def test_a_venue_that_lists_a_market_unknown_to_the_oracle_is_refused(stage: Stage) -> None:
    world = stage.world
    execute(world.actors.owner, world.deployment.exchange, "listInstrument", 0, 0, 999, 0, 0)
    with pytest.raises(BadBook, match="market 999"):
        run_cycle(stage.keeper)


def test_doctor_passes_and_says_what_to_do(stage: Stage) -> None:
    posted(stage)
    shown = cli(stage, "doctor")
    assert shown.exit_code == 0, shown.output
    assert "FAIL" not in shown.output and "3 unlocked" in shown.output
    guardian = stage.world.actors.guardian.address
    assert f"guardian {guardian}; a change of the owner's waits {OWNER_DELAY_SECONDS} s" in shown.output
    assert "open; a loosening waits 1800 s, a second rise 60 s; loosenings that wait: 0" in shown.output
    other = with_settings(
        stage,
        "sick",
        contracts={"threshold": 3},
        calibration={"artefact": "missing.json"},
        policy={"heartbeat_margin_seconds": 3_600},
    )
    shown = CliRunner().invoke(app, ["doctor", "--config", str(other)])
    assert shown.exit_code == 1
    assert "FAIL  heartbeat" in shown.output
    assert "FAIL  signers" in shown.output and "FAIL  calibration" in shown.output and "pass  oracle" in shown.output


def test_the_abi_is_known_by_its_version() -> None:
    assert any(entry.get("name") == "VERSION" for entry in load_artefact("MarginOracle").abi)


def test_the_written_configuration_is_the_one_in_use(stage: Stage) -> None:
    settings: Settings = load_settings(stage.settings.directory / "oracle.toml")
    assert settings == stage.settings


def test_a_cycle_that_does_not_end_does_not_hold_up_the_process(stage: Stage) -> None:
    other = with_settings(stage, "impatient", schedule={"drain_seconds": 1})
    stuck = (
        "import os, signal, time\n"
        "from oracle import cli\n"
        "def cycle(keeper):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(600)\n"
        "cli.run_cycle = cycle\n"
        "cli.main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", stuck, "run", "--config", str(other)], cwd=ROOT, capture_output=True, timeout=60
    )
    assert ended.returncode == EXIT_NOT_DRAINED


# ---------------------------------------------------------------------- recalibrating


def write_past(stage: Stage, folder: Path, replayed_hours: int) -> None:
    """Write the stage's past and some of the hours that are replayed on the chain as price files."""
    folder.mkdir()
    for past, replayed in zip(stage.past.prices, stage.past.replayed, strict=True):
        newer = slice(1, replayed_hours + 1)
        columns = zip(
            (*past.hour, *replayed.hour[newer]),
            (*past.close_e8, *replayed.close_e8[newer]),
            (*past.volume, *replayed.volume[newer]),
            strict=True,
        )
        rows = ["ts,open,high,low,close,volume"]
        for hour, close_e8, volume in columns:
            close = f"{close_e8 // 10**8}.{close_e8 % 10**8:08d}"
            rows.append(f"{(hour - 1) * 3_600},{close},{close},{close},{close},{float(volume)!r}")
        (folder / f"{past.symbol}.csv").write_text("\n".join(rows) + "\n")
    for index in stage.past.volatility:
        levels = zip(index.hour, index.level_ppm, strict=True)
        rows = ["ts,close", *(f"{(hour - 1) * 3_600},{level_ppm / 10_000}" for hour, level_ppm in levels)]
        (folder / f"dvol_{index.symbol.lower()}_1h.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))


def test_a_new_calibration_is_posted_under_from_the_next_cycle_on_and_both_reports_verify(
    stage: Stage, tmp_path: Path
) -> None:
    write_past(stage, tmp_path / "history", 24)
    artefact = tmp_path / "calibration.json"
    shutil.copy(stage.settings.path(stage.settings.calibration.artefact), artefact)
    calibration = {"artefact": str(artefact), "history": str(tmp_path / "history"), "interval_hours": 24}
    config = with_settings(stage, "recalibrating", calibration=calibration)
    settings = load_settings(config)
    live = LiveKeeper(settings)
    first = run_cycle(live.current())
    now = stage.world.client.head().timestamp
    row = recalibrate(settings, live.current().journal, lambda: now)
    assert row.outcome == Outcome.ADOPTED, row.reason
    refreshed(stage, 3_600, (60_000, -60_000))
    second = run_cycle(live.current())
    assert first.posting is not None and second.posting is not None
    assert live.current().calibration.last_hour == stage.keeper.calibration.last_hour + 24
    hashes = [result.draft.valuation.details["calibration"]["content_hash"] for result in (first, second)]  # type: ignore[index]
    assert hashes == [row.hash_before, row.hash_after]
    old = str(stored_path(artefact, row.hash_before))
    for arguments, exit_code in ((["1", "--artefact", old], 0), (["1"], 1), (["2"], 0), (["2", "--artefact", old], 1)):
        assert CliRunner().invoke(app, ["verify", *arguments, "--config", str(config)]).exit_code == exit_code
    live.current().journal.close()
