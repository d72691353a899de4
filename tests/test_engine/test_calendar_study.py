"""The study of calendars: what it fits and brings to tenor, and what it shows on real chains (slow, where they are)."""

from __future__ import annotations

import gzip
import json
import math
from functools import cache
from pathlib import Path

import pytest

from engine.surface.arbitrage import X_NODES
from scripts.studies import calendars
from tests import model_cases

SHARED = Path(__file__).resolve().parents[3] / "shared"
DATA, REALISED = SHARED / "data", SHARED / "truth" / "deribit_matrix_backtest.json"
NEEDS_DATA = pytest.mark.skipif(not DATA.is_dir(), reason=f"NOT RUN: no real chains at {DATA}")
BROKEN, OPPOSITE = "calendar: long 7d short 180d vega-neutral", "calendar: short 7d long 180d vega-neutral"
COLUMNS = "snapshot,snapshot_ts,currency,expiry_ts,strike,cp,fwd,index_price,mark_iv"
DAYS = (4, 11, 150, 250)


def invented_smile(k, years):
    return 0.5 - 0.1 * k / math.sqrt(years) + 0.05 * math.log(1.0 + years)


@pytest.fixture
def chain_file(tmp_path: Path) -> Path:
    now, index, lines = 1_700_000_000, 60_000.0, [COLUMNS]
    for days in DAYS:
        years = days / 365.0
        forward = index * math.exp(0.06 * years)
        for step in range(-80, 81):
            strike = forward * math.exp(0.05 * step * math.sqrt(years))
            for side in "CP":
                out_of_the_money = (strike >= forward) == (side == "C")
                volatility = invented_smile(math.log(strike / forward), years) if out_of_the_money else 9.0
                lines.append(f"A,{now},BTC,{now + days * 86_400},{strike!r},{side},{forward!r},{index},{volatility!r}")
    path = tmp_path / "option_chains.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


@pytest.mark.fast
def test_nodes_are_those_of_the_smile_and_tenors_lie_between_expiries(chain_file: Path):
    (chain,) = calendars.read_chains(chain_file)
    assert [round(smile.years * 365) for smile in chain.smiles] == list(DAYS)
    for smile in chain.smiles:
        at_the_money = invented_smile(0.0, smile.years)
        expected = [invented_smile(x * at_the_money * math.sqrt(smile.years), smile.years) for x in X_NODES]
        assert smile.volatility == pytest.approx(expected, rel=1e-6)
        assert smile.carry == pytest.approx(0.06 * smile.years, rel=1e-9)
    week = calendars.at_days(chain, 7)
    before, after = (smile.volatility**2 * smile.years for smile in chain.smiles[:2])
    assert week.volatility**2 * week.years == pytest.approx(before + (after - before) * 3 / 7, rel=1e-12)
    assert calendars.at_days(chain, 150).volatility == pytest.approx(chain.smiles[2].volatility, rel=1e-9)


@pytest.mark.fast
def test_an_expiry_with_too_few_strikes_is_left_out(tmp_path: Path, chain_file: Path):
    lines = gzip.decompress(chain_file.read_bytes()).decode().splitlines()
    few = [line for n, line in enumerate(lines) if n < 1 + 2 * 161 or n % 161 == 0]
    path = tmp_path / "few.csv.gz"
    path.write_bytes(gzip.compress("\n".join(few).encode()))
    (chain,) = calendars.read_chains(path)
    assert len(chain.smiles) == 1


@pytest.mark.fast
def test_figures_are_fractions_of_spot_on_any_scale(chain_file: Path):
    (chain,) = calendars.read_chains(chain_file)
    results = {one.book: one for one in calendars.margins(model_cases.small_calibration(), chain)}
    assert list(results) == list(calendars.BOOKS)
    larger = {one.book: one for one in calendars.margins(model_cases.small_calibration(unit=8.0), chain)}
    for book, one in results.items():
        assert larger[book].matrix == pytest.approx(one.matrix, rel=1e-9)
        assert larger[book].model == pytest.approx(one.model, rel=1e-3)
        assert one.initial >= one.model and one.initial >= 1.1 * one.maintenance * (1.0 - 1e-12)
    assert results[BROKEN].matrix < 0.5 * results[OPPOSITE].matrix


@cache
def on_real_chains() -> list[calendars.Result]:
    """With a calibration that ends a year and a half before the chains."""
    pytest.importorskip("polars", reason="NOT RUN: polars is not installed, real history cannot be read")
    return [one for one in calendars.study(DATA) if one.snapshot >= calendars.REALISED_FROM]


@pytest.mark.slow
@NEEDS_DATA
def test_ours_is_above_the_matrix_where_it_was_breached_and_below_it_on_the_outright_straddle():
    realised, results = calendars.realised(REALISED), on_real_chains()
    assert len(results) == 8 * len(calendars.BOOKS)
    for one in results:
        case = realised.get((one.symbol, one.book))
        if one.book == BROKEN:
            assert case["breaches"] > 0
            assert one.model > 1.5 * one.matrix
            assert one.model > case["realised_es99_per_S"]
        if one.book == "short straddle 180d":
            assert one.model < 0.8 * one.matrix
            assert one.model > case["realised_max_loss_per_S"]


@pytest.mark.slow
@NEEDS_DATA
def test_every_book_of_the_back_test_brings_its_realised_tail():
    realised = calendars.realised(REALISED)
    cases = json.loads(REALISED.read_text())["cases"]
    assert sum("realised_es99_per_S" in case for case in cases) == len(realised)
    for one in on_real_chains():
        case = realised.get((one.symbol, one.book))
        if case is not None:
            assert one.initial > case["realised_es99_per_S"], one
