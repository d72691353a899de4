"""Random malformed books and histories through a cycle: a report that the contract accepts, or a typed refusal.

The snapshot is a real one; hypothesis damages it before it is checked, valued, built into a report and signed, and
the real contract is asked whether it would take the result.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from oracle import report as reports
from oracle.chain.devnet import mine
from oracle.cycle import Draft, report_to_sign, signer_set_of
from oracle.demo.stage import Stage, open_stage
from oracle.errors import OracleError
from oracle.packing import pack
from oracle.readers.history import read_history
from oracle.signer import recovered_address
from oracle.snapshot import check_snapshot, read_snapshot
from oracle.types import AccountBook, Snapshot, Valuation
from oracle.valuation import calibrate, evaluate

pytestmark = pytest.mark.chain

EDGES = (0, 1, -1, 2, 10**8, -(10**8), 10**13, 10**17, -(10**17), 2**31 - 1, -(2**31), 2**62, -(2**63), 2**63 - 1)
integers = st.one_of(st.sampled_from(EDGES), st.integers(-(10**12), 10**12))
CHAIN_SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_stage(Console(quiet=True), None, "", 31_337, tmp_path_factory.mktemp("demo") / "stage") as stage:
        yield stage


@pytest.fixture(scope="module")
def sound(stage: Stage) -> Snapshot:
    """A sound snapshot of the head, with one more block on top, so that its hash can be proven."""
    stamp = stage.world.client.head()
    snapshot = read_snapshot(stage.world.client, stage.settings, stamp, stage.keeper.calibration.last_hour)
    mine(stage.world.client)
    return snapshot


@st.composite
def damaged(draw: st.DrawFn) -> Callable[[Snapshot], Snapshot]:
    """Return a function that damages a snapshot in one to three places."""
    damages = draw(
        st.lists(st.sampled_from([_price, _slice, _instrument, _position, _book, _rounds]), min_size=1, max_size=3)
    )
    made = [damage(draw) for damage in damages]

    def apply(snapshot: Snapshot) -> Snapshot:
        for change in made:
            snapshot = change(snapshot)
        return snapshot

    return apply


def _replaced(items: tuple, index: int, **values: object) -> tuple:  # type: ignore[type-arg]
    index %= len(items)
    return (*items[:index], replace(items[index], **values), *items[index + 1 :])


def _price(draw: st.DrawFn) -> Callable[[Snapshot], Snapshot]:
    name = draw(st.sampled_from(["price_e8", "price_timestamp", "funding_rate_ppm_hourly", "funding_cap_ppm_hourly"]))
    index, value = draw(st.integers(0, 9)), draw(integers)
    return lambda s: replace(s, underlyings=_replaced(s.underlyings, index, **{name: value}))


def _slice(draw: st.DrawFn) -> Callable[[Snapshot], Snapshot]:
    index, node, value = draw(st.integers(0, 9)), draw(st.integers(0, 6)), draw(integers)
    if draw(st.booleans()):
        name = draw(st.sampled_from(["carry_ppm", "updated_timestamp", "expiry_timestamp", "underlying"]))
        return lambda s: replace(s, slices=_replaced(s.slices, index, **{name: value}))

    def change(snapshot: Snapshot) -> Snapshot:
        nodes = list(snapshot.slices[index % len(snapshot.slices)].nodes_ppm)
        nodes[node] = value
        return replace(snapshot, slices=_replaced(snapshot.slices, index, nodes_ppm=tuple(nodes)))

    return change


def _instrument(draw: st.DrawFn) -> Callable[[Snapshot], Snapshot]:
    name = draw(st.sampled_from(["strike_e8", "expiry_timestamp", "underlying", "market_id", "settlement_price_e8"]))
    index, value = draw(st.integers(0, 99)), draw(integers)
    return lambda s: replace(s, instruments=_replaced(s.instruments, index, **{name: value}))


def _position(draw: st.DrawFn) -> Callable[[Snapshot], Snapshot]:
    name = draw(st.sampled_from(["size_lots", "instrument_id", "cash_micro"]))
    index, value = draw(st.integers(0, 10**6)), draw(integers)

    def change(snapshot: Snapshot) -> Snapshot:
        column = getattr(snapshot.book, name).copy()
        if not len(column):
            return snapshot
        limits = np.iinfo(column.dtype)
        column[index % len(column)] = min(max(value, limits.min), limits.max)
        return replace(snapshot, book=replace(snapshot.book, **{name: column}))

    return change


def _book(draw: st.DrawFn) -> Callable[[Snapshot], Snapshot]:
    kind = draw(st.sampled_from(["empty", "twice"]))

    def change(snapshot: Snapshot) -> Snapshot:
        book = snapshot.book
        if kind == "twice":
            address = book.address.copy()
            address[1:2] = address[0:1]
            return replace(snapshot, book=replace(book, address=address))
        empty = {field.name: getattr(book, field.name)[:0] for field in fields(AccountBook)}
        return replace(snapshot, book=AccountBook(**{**empty, "indptr": np.zeros(1, dtype=np.int64)}))

    return change


def _rounds(draw: st.DrawFn) -> Callable[[Snapshot], Snapshot]:
    name, index, value = draw(st.sampled_from(["timestamp", "price_e8"])), draw(st.integers(0, 99)), draw(integers)

    def change(snapshot: Snapshot) -> Snapshot:
        column = getattr(snapshot.rounds[0], name).copy()
        column[index % len(column)] = value
        return replace(snapshot, rounds=(replace(snapshot.rounds[0], **{name: column}), *snapshot.rounds[1:]))

    return change


def require_accepted(stage: Stage, snapshot: Snapshot, valuation: Valuation) -> None:
    """Build, sign and pack the report, and ask the contract; a revert fails the test."""
    target = reports.build(snapshot, valuation, stage.settings.policy.valid_for_seconds)
    report = report_to_sign(Draft(snapshot, valuation, target), exceeds_step=False)
    signer_set = signer_set_of(stage.settings, snapshot.oracle.signer_set_epoch)
    signatures = [attestor.signer.sign(report) for attestor in stage.keeper.attestors[:2]]
    assert {s.signer for s in signatures} == {
        recovered_address(reports.digest(report, reports.domain_of(snapshot)), s) for s in signatures
    }
    packed = pack(report, signer_set, signatures)
    digest, _ = stage.world.deployment.oracle.call(stage.world.client.head(), "preview", packed)
    assert digest == reports.digest(report, reports.domain_of(snapshot))


def test_a_sound_snapshot_is_accepted(stage: Stage, sound: Snapshot) -> None:
    check_snapshot(sound, stage.settings.prices)
    require_accepted(stage, sound, evaluate(sound, stage.keeper.calibration, stage.settings.model))


@given(damage=damaged())
@CHAIN_SETTINGS
def test_a_damaged_book_is_accepted_or_refused_by_type(
    stage: Stage, sound: Snapshot, damage: Callable[[Snapshot], Snapshot]
) -> None:
    snapshot = damage(sound)
    try:
        check_snapshot(snapshot, stage.settings.prices)
        valuation = evaluate(snapshot, stage.keeper.calibration, stage.settings.model)
        require_accepted(stage, snapshot, valuation)
    except OracleError as error:
        assert error.message, "a refusal says what is wrong"


CELLS = st.sampled_from(["nan", "inf", "-inf", "", "0", "-1", "1e300", "1e-300", "abc", "3600", "99999999999999"])


@given(
    row=st.integers(0, 1_500),
    column=st.integers(0, 5),
    cell=CELLS,
    rows=st.sampled_from([0, 1, 2, 30, 800, 1_500]),
    repeated=st.booleans(),
    header=st.sampled_from(
        ["ts,open,high,low,close,volume", "time,open,high,low,close,volume", "ts,close", "", "a,b,c"]
    ),
)
@example(row=0, column=4, cell="100", rows=1_500, repeated=False, header="ts,open,high,low,close,volume")
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_damaged_history_is_accepted_or_refused_by_type(
    stage: Stage,
    sound: Snapshot,
    tmp_path_factory: pytest.TempPathFactory,
    row: int,
    column: int,
    cell: str,
    rows: int,
    repeated: bool,
    header: str,
) -> None:
    folder = tmp_path_factory.mktemp("history")
    last_hour = stage.keeper.calibration.last_hour
    for symbol, price in (("ETH", 2_000.0), ("BTC", 30_000.0)):
        _write_history(folder / f"{symbol}.csv", header, rows, last_hour, price, (row, column, cell), repeated)
    try:
        history = read_history(folder, ("ETH", "BTC"))
        calibration = calibrate(history.prices, history.volatility, stage.settings.model)
        if calibration.last_hour != last_hour:
            return
        require_accepted(stage, sound, evaluate(sound, calibration, stage.settings.model))
    except OracleError as error:
        assert error.message, "a refusal says what is wrong"


def _write_history(
    path: Path, header: str, rows: int, last_hour: int, price: float, damage: tuple[int, int, str], repeated: bool
) -> None:
    """Write hourly bars that wobble around a price, with one damaged cell and perhaps a repeated row."""
    steps = np.sin(np.arange(rows) * 1.7) * 0.01 + np.cos(np.arange(rows) * 0.3) * 0.02
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        if header:
            writer.writerow(header.split(","))
        for index in range(rows):
            level = price * (1 + float(steps[index]))
            bar = [str((last_hour - rows + index) * 3_600), *(f"{level * f:.2f}" for f in (1, 1.01, 0.99, 1)), "1000"]
            if index == damage[0]:
                bar[damage[1]] = damage[2]
            writer.writerow(bar)
            if repeated and index == rows // 2:
                writer.writerow(bar)
