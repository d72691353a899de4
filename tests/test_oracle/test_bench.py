"""The scale benchmark: which sizes it measures, what its ratios are of, and that a size costs what it says."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from importlib.util import find_spec

import pytest
from rich.console import Console
from typer.testing import CliRunner

from oracle import bench, cli
from oracle.errors import BadConfiguration
from oracle.valuation.scale import Measurement, Size, measure

SMALL = Size(accounts=100, positions=3, instruments=60, scenarios=500)


def invented(size: Size) -> Measurement:
    """A cost in proportion to accounts and positions; no machine is measured."""
    work = size.accounts * size.positions
    return Measurement(size, 0.0, work / 100, work / 300, work / 75, 1_000 + size.accounts, "0x" + "00" * 32)


@pytest.mark.fast
def test_every_quantity_is_multiplied_in_turn_and_nothing_is_measured_twice() -> None:
    asked = []
    rows = bench.run_ladders(SMALL, 5, True, lambda size: asked.append(size) or invented(size))
    assert len(asked) == len(set(asked)) == 1 + 2 * 4 + 3 + 1
    by_name = {name: [m.size for n, m in rows if n == name] for name, _ in rows}
    for name in ("accounts", "positions", "instruments", "scenarios"):
        smallest = getattr(SMALL, name)
        assert by_name[name] == [replace(SMALL, **{name: smallest * factor}) for factor in (1, 4, 16)]
    assert by_name["workers"] == [replace(SMALL, accounts=1_600, workers=count) for count in (0, 1, 2, 4)]
    assert by_name["full"] == [Size(1_000_000, 20, 600, 8_760, 0, 2)]
    assert "workers" not in {name for name, _ in bench.run_ladders(SMALL, 0, False, invented)}


@pytest.mark.fast
def test_ratios_are_to_the_first_of_each_ladder() -> None:
    rows = bench.as_json(bench.run_ladders(SMALL, 2, False, invented))
    times = {name: [row["times"] for row in rows if row["varied"] == name] for name in ("accounts", "scenarios")}
    assert [one["cpu"] for one in times["accounts"]] == [1.0, 4.0, 16.0] == [one["wall"] for one in times["accounts"]]
    assert [one["peak"] for one in times["accounts"]] == [1.0, round(1_400 / 1_100, 3), round(2_600 / 1_100, 3)]
    assert all(one == {"cpu": 1.0, "wall": 1.0, "peak": 1.0} for one in times["scenarios"])
    assert json.loads(json.dumps(rows))[0]["size"]["accounts"] == 100


@pytest.mark.fast
def test_the_table_says_that_its_history_is_simulated_and_shows_the_ratios() -> None:
    out = io.StringIO()
    bench.show(Console(file=out, width=120), bench.run_ladders(SMALL, 2, True, invented))
    text = out.getvalue()
    assert "simulated history" in text and "16.00" in text and "1,000,000" in text
    assert "smallest: 100 accounts of 3 positions, 60 instruments, 500 historical paths, 1 thread" in text


@pytest.mark.fast
def test_a_size_is_valued_to_its_root_whatever_the_threads() -> None:
    size = replace(SMALL, accounts=10, instruments=10)
    one, two = measure(size), measure(replace(size, threads=2))
    assert one.root == two.root != measure(replace(size, accounts=11)).root
    assert len(one.root) == 66 and one.charging_cpu_seconds > 0.0 and one.wall_seconds > 0.0
    assert 50e6 < one.peak_bytes < 2e9


@pytest.mark.fast
def test_a_size_that_cannot_be_is_refused_with_what_to_do() -> None:
    with pytest.raises(BadConfiguration, match="61 instruments: give a positive multiple of 5; choose another size"):
        measure(replace(SMALL, instruments=61))


@pytest.mark.slow
def test_workers_reach_the_same_root_and_the_command_prints_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="needs the extra `cluster`: pip install -e .[cluster]")
    assert measure(replace(SMALL, workers=2)).root == measure(SMALL).root
    monkeypatch.setattr(bench, "GROWTH", (1, 2))
    arguments = "bench scale --json --workers 0 --accounts 50 --positions 2 --instruments 10 --scenarios 500"
    done = CliRunner().invoke(cli.app, arguments.split())
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout.splitlines()[-1])
    assert len(rows) == 8 and rows[0]["size"] == asdict(Size(50, 2, 10, 500))


@pytest.mark.fast
def test_workers_without_the_extra_are_said_to_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "distributed" else find_spec(name))
    monkeypatch.setattr(bench, "run_ladders", lambda *given: [("accounts", invented(SMALL))] * (given[1] == 0))
    done = CliRunner().invoke(cli.app, ["bench", "scale"])
    assert done.exit_code == 0 and "workers: not measured, the extra is not installed" in done.output
