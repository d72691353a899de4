"""Files of funding, basis, rates and ratios, and further sources of prices: what is read and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from oracle.config import ModelSettings
from oracle.errors import BadHistory
from oracle.readers.carry_files import CarryFiles, TokenRatios, read_carry_files
from oracle.readers.history import read_history
from oracle.valuation import calibrate, calibrate_history, priced_symbols, simulate_history, summary

pytestmark = pytest.mark.fast
SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FIRST = 1_700_000_000 // 3600 * 3600
HOUR = FIRST // 3600


def write(directory: Path, name: str, *lines: str) -> Path:
    text = "\n".join(lines) + "\n"
    (directory / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return directory


def test_nothing_is_there(tmp_path: Path) -> None:
    assert read_carry_files(tmp_path, ["BTC"]) == CarryFiles()


@pytest.mark.parametrize("name", ["funding.csv", "funding.csv.gz"])
def test_funding_is_by_venue_and_a_hole_lengthens_no_interval(tmp_path: Path, name: str) -> None:
    rows = [
        f"one,BTC,{FIRST + 3600 * hour},{rate}" for hour, rate in ((0, "0.0001"), (8, "-0.00002"), (16, 0), (48, 1e-9))
    ]
    write(tmp_path, name, "venue,symbol,ts,rate", *rows, f"two,BTC,{FIRST},0.5", f"one,XRP,{FIRST},0.5")
    first, second = read_carry_files(tmp_path, ["BTC", "ETH"]).funding
    assert first.hour.tolist() == [HOUR, HOUR + 8, HOUR + 16, HOUR + 48]
    assert first.rate_ppb.tolist() == [100_000, -20_000, 0, 1]
    assert first.interval_hours.tolist() == [8, 8, 8, 8]
    assert (second.symbol, second.rate_ppb.tolist()) == ("BTC", [500_000_000])


def test_basis_rates_and_ratios_become_integers(tmp_path: Path) -> None:
    write(tmp_path, "basis.csv", "symbol,ts,days,basis", f"BTC,{FIRST},0,0.0005", f"BTC,{FIRST},30.25,-0.01")
    write(tmp_path, "rates.csv", "ts,level,slope", f"{FIRST},0.05,-0.002")
    write(
        tmp_path,
        "ratios.csv",
        "token,base,ts,ratio",
        *(f"stETH,ETH,{FIRST + s},{r}" for s, r in ((0, 1), (5, 0.99), (3600, 0.98), (3601, 0.97))),
        f"USDX,USD,{FIRST},1.0",
        f"wBNB,BNB,{FIRST},1.0",
    )
    read = read_carry_files(tmp_path, ["BTC", "ETH"])
    assert read.basis[0].days_milli.tolist() == [0, 30_250] and read.basis[0].basis_ppm.tolist() == [500, -10_000]
    assert read.rates is not None
    assert (read.rates.level_ppm.tolist(), read.rates.slope_ppm.tolist()) == ([50_000], [-2_000])
    assert [(one.symbol, one.base) for one in read.ratios] == [("stETH", "ETH"), ("USDX", "USD")]
    assert read.ratios[0].hour.tolist() == [HOUR, HOUR + 1, HOUR + 2]
    assert read.ratios[0].ratio_ppm.tolist() == [1_000_000, 980_000, 970_000]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (f"one,BTC,{FIRST + 1},0.1", "ts is not on the hour"),
        ("one,BTC,today,0.1", "ts is not Unix seconds"),
        (f"one,BTC,{FIRST * 1000},0.1", "ts is not Unix seconds"),
        (f"one,BTC,{FIRST},none", "rate is not a number"),
        (f"one,BTC,{FIRST},nan", "rate is not a number"),
        (f"one,BTC,{FIRST},inf", "rate is not a number"),
        (f"one,BTC,{FIRST},1e30", "out of any range"),
        (f"one,BTC,{FIRST}", "4 fields expected"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, problem: str) -> None:
    write(tmp_path, "funding.csv", "venue,symbol,ts,rate", f"one,BTC,{FIRST},0", row)
    with pytest.raises(BadHistory, match=problem) as caught:
        read_carry_files(tmp_path, ["BTC"])
    assert "funding.csv, data row 2" in str(caught.value)


def test_two_files_of_one_name_and_missing_columns_are_refused(tmp_path: Path) -> None:
    write(write(tmp_path, "rates.csv", "ts,level"), "basis.csv", "symbol")
    with pytest.raises(BadHistory, match="no column named ts"):
        read_carry_files(tmp_path, ["BTC"])
    write(write(tmp_path, "basis.csv.gz", "symbol"), "basis.csv", "symbol")
    with pytest.raises(BadHistory, match="holds both"):
        read_carry_files(tmp_path, ["BTC"])


def bars(directory: Path, symbol: str, count: int, factor: float = 1.0) -> None:
    directory.mkdir(exist_ok=True)
    rows = [f"{FIRST + 3600 * i},1,1000,1,{factor * (100 + (i * 7919 % 13))},{5 + i % 3}" for i in range(count)]
    write(directory, f"{symbol}.csv", "ts,open,high,low,close,volume", *rows)


def test_further_sources_are_directories_of_the_same_layouts(tmp_path: Path) -> None:
    for symbol in ("BTC", "ETH"):
        bars(tmp_path / "one", symbol, 800)
    bars(tmp_path / "two", "ETH", 800, 1.001)
    history = read_history(tmp_path / "one", ["BTC", "ETH"], sources=[tmp_path / "two"])
    assert [one.symbol for one in history.witnesses] == ["ETH"]
    bars(tmp_path / "three", "XRP", 800)
    with pytest.raises(BadHistory, match="holds no file of BTC, ETH"):
        read_history(tmp_path / "one", ["BTC", "ETH"], sources=[tmp_path / "three"])
    with pytest.raises(BadHistory, match="absent is not a directory"):
        read_history(tmp_path / "one", ["BTC", "ETH"], sources=[tmp_path / "absent"])


def test_tokens_of_the_directory_join_and_are_not_looked_for_as_price_files(tmp_path: Path) -> None:
    prices = simulate_history(["ETH"], HOUR, 9_000, 3)[0][0]
    ratios = TokenRatios("stETH", "ETH", prices.hour[::24], np.full(375, 999_000))
    calibration = calibrate([prices], [], ModelSettings(), carry=CarryFiles(ratios=(ratios,)))
    assert calibration.symbols == ("ETH", "stETH") and priced_symbols(calibration) == ("ETH",)
    assert "stETH" in summary(calibration)[2]


def test_real_files_reach_the_artefact() -> None:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"NOT RUN: real data is absent at {SHARED_DATA}")
    pytest.importorskip("polars", reason="NOT RUN: polars is not installed, real history cannot be read")
    sources = [SHARED_DATA / "spot_1h_ftx"]
    calibration = calibrate_history(read_history(SHARED_DATA, ["ETH"], sources=sources), ModelSettings())
    asset, carry = calibration.assets[0], calibration.carry[0]
    assert asset.sources == 2 and asset.compared_bars == 24_972 and 30 < asset.disagreeing_bars < 125
    assert carry.funding_measured and 5e-5 < carry.funding_change_hourly < 5e-4
    assert calibration.hour_factor_ppm.max() > 1_200_000
