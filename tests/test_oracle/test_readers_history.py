"""History files: what is read, and what each way of being wrong is answered with.

Reads the real hourly data in ../shared/data when it is there; without it that one test is skipped, aloud.
"""

from __future__ import annotations

import builtins
import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.errors import BadHistory
from oracle.readers.history import read_history

pytestmark = pytest.mark.fast

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

FIRST = 1_700_000_000 // 3600 * 3600
HEADER = "time,open,high,low,close,volume"
GOOD = [f"{FIRST + 3600 * i},100,101.5,99,100.{i}1,{i}.5" for i in range(3)]


def write(directory: Path, rows: list[str], name: str = "BTC.csv", header: str = HEADER) -> Path:
    text = "\n".join([header, *rows]) + "\n"
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return directory


def read(directory: Path, minimum_rows: int = 2):
    return read_history(directory, ["BTC"], minimum_rows)


@pytest.mark.parametrize("name", ["BTC.csv", "BTC.csv.gz"])
def test_a_close_is_known_an_hour_after_its_bar_opens(tmp_path, name):
    history = read(write(tmp_path, GOOD, name))
    prices, report = history.prices[0], history.reports[0]
    assert prices.hour.tolist() == [FIRST // 3600 + 1 + i for i in range(3)]
    assert prices.close_e8.tolist() == [10_001_000_000, 10_011_000_000, 10_021_000_000]
    assert prices.volume.tolist() == [0.5, 1.5, 2.5]
    assert (report.row_count, report.gap_count, report.missing_hours) == (3, 0, 0)


def test_columns_in_any_order_with_others_between(tmp_path):
    rows = [f"x,1,2,{FIRST + 3600 * i},2,1,2" for i in range(2)]
    history = read(write(tmp_path, rows, header="source,volume,close,ts,high,low,open"))
    assert history.prices[0].close_e8.tolist() == [200_000_000, 200_000_000]


def test_gaps_are_counted_and_stay(tmp_path):
    rows = [f"{FIRST + 3600 * i},1,1,1,1,0" for i in (0, 1, 4, 5, 7)]
    history = read(write(tmp_path, rows))
    report = history.reports[0]
    assert len(history.prices[0].hour) == 5
    assert (report.gap_count, report.missing_hours, report.longest_gap_hours) == (2, 3, 2)
    assert report.zero_volume_hours == 5


@pytest.mark.parametrize("dtype", ["Float32", "Float64"])
@pytest.mark.parametrize("folder", ["", "spot_1h/"])
def test_parquet_closes_are_the_decimals_that_were_stored(tmp_path, folder, dtype):
    polars = pytest.importorskip("polars")
    closes = [62_772.01, 0.00005, 1.0]
    frame = polars.DataFrame({"ts": [FIRST, FIRST + 3600, FIRST + 7200], "close": closes, "volume": [1.0, 2.0, 0.0]})
    frame = frame.with_columns(open=polars.col("close"), high=polars.col("close"), low=polars.col("close"))
    (tmp_path / "spot_1h").mkdir()
    frame.cast({name: getattr(polars, dtype) for name in ("open", "high", "low", "close")}).write_parquet(
        tmp_path / f"{folder}BTC.parquet"
    )
    assert read(tmp_path).prices[0].close_e8.tolist() == [6_277_201_000_000, 5_000, 100_000_000]


@given(st.integers(1, 9 * 10**18))
def test_every_price_of_eight_decimals_comes_back(tmp_path_factory, close_e8):
    price = f"{close_e8 // 10**8}.{close_e8 % 10**8:08d}"
    directory = tmp_path_factory.mktemp("prices")
    rows = [f"{FIRST + 3600 * i},{price},{price},{price},{price},1" for i in range(2)]
    assert read(write(directory, rows)).prices[0].close_e8.tolist() == [close_e8, close_e8]


def test_rounding_is_half_to_even_at_eight_decimals(tmp_path):
    prices = ("0.000000015", "0.000000025", "0.0000000251")
    rows = [f"{FIRST + 3600 * i},{price},{price},{price},{price},1" for i, price in enumerate(prices)]
    assert read(write(tmp_path, rows)).prices[0].close_e8.tolist() == [2, 2, 3]


BAD_ROWS = {
    "time is not on the hour": f"{FIRST + 10_801},100,101,99,100,1",
    "time repeats the row before": f"{FIRST + 7_200},100,101,99,100,1",
    "time is before the row before": f"{FIRST},100,101,99,100,1",
    "time is not whole Unix seconds": f"{FIRST + 10_800}.0,100,101,99,100,1",
    "time is not Unix seconds before 2100": f"{(FIRST + 10_800) * 1000},100,101,99,100,1",
    "open is not a price": f"{FIRST + 10_800},0,101,99,100,1",
    "high is not a price": f"{FIRST + 10_800},100,inf,99,100,1",
    "low is not a price": f"{FIRST + 10_800},100,101,-99,100,1",
    "close is not a price": f"{FIRST + 10_800},100,101,99,nan,1",
    "close is not a price from 1e-8": f"{FIRST + 10_800},100,101,99,0.000000009,1",
    "close is not a number": f"{FIRST + 10_800},100,101,99,,1",
    "high is below low": f"{FIRST + 10_800},100,98,99,100,1",
    "volume is not a number from 0": f"{FIRST + 10_800},100,101,99,100,-1",
    "volume is not a number": f"{FIRST + 10_800},100,101,99,100,none",
    "6 fields expected": f"{FIRST + 10_800},100,101,99,100",
}


@pytest.mark.parametrize("problem", BAD_ROWS)
def test_a_bad_row_is_named(tmp_path, problem):
    with pytest.raises(BadHistory) as caught:
        read(write(tmp_path, [*GOOD, BAD_ROWS[problem]]))
    assert problem in str(caught.value)
    assert "BTC.csv, data row 4" in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "header",
    ["time,open,high,low,close", "date,open,high,low,close,volume", "ts,time,high,low,close,volume", "", "close,close"],
)
def test_wrong_columns_are_refused(tmp_path, header):
    with pytest.raises(BadHistory, match="column"):
        read(write(tmp_path, [], header=header))


def test_empty_and_short_files_are_refused(tmp_path):
    with pytest.raises(BadHistory, match="holds no rows"):
        read(write(tmp_path, []))
    with pytest.raises(BadHistory, match="at least 4 are needed"):
        read(write(tmp_path, GOOD), minimum_rows=4)


def test_missing_ambiguous_and_unnameable_files_are_refused(tmp_path):
    with pytest.raises(BadHistory, match="no file for BTC"):
        read(tmp_path)
    with pytest.raises(BadHistory, match="not a directory"):
        read(tmp_path / "absent")
    write(tmp_path, GOOD)
    write(tmp_path, GOOD, "BTC.csv.gz")
    with pytest.raises(BadHistory, match="more than one file for BTC"):
        read(tmp_path)
    for symbols in (["../BTC"], [], ["BTC", "BTC"]):
        with pytest.raises(BadHistory, match="symbol"):
            read_history(tmp_path, symbols)


@pytest.mark.parametrize("name", ["BTC.csv.gz", "BTC.parquet", "BTC.csv"])
def test_a_damaged_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x1f\x8b\xff\xfe not a file of bars")
    with pytest.raises(BadHistory, match="cannot be read"):
        read(tmp_path)


def test_parquet_without_polars_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "BTC.parquet").write_bytes(b"anything")
    real_import = builtins.__import__

    def without_polars(name, *arguments, **named):
        if name == "polars":
            raise ImportError(name)
        return real_import(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without_polars)
    with pytest.raises(BadHistory, match=r"margin-oracle\[history\]"):
        read(tmp_path)


def test_parquet_of_wrong_types_or_with_holes_is_refused(tmp_path):
    polars = pytest.importorskip("polars")
    good = {name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")}
    for ts, problem in (([FIRST, None], "missing"), (["a", "b"], "String"), ([1.0, 2.0], "whole Unix seconds")):
        polars.DataFrame({"ts": ts, **good}).write_parquet(tmp_path / "BTC.parquet")
        with pytest.raises(BadHistory, match=problem):
            read(tmp_path)


class TestVolatility:
    hourly_header = "ts,open,high,low,close"
    daily_header = "symbol,date,open,high,low,close"
    midnight = FIRST // 86_400 * 24

    def directory(self, path: Path, hourly: list[str], daily: list[str]) -> Path:
        write(path, GOOD)
        if hourly:
            write(path, hourly, "dvol_btc_1h.csv.gz", self.hourly_header)
        if daily:
            write(path, daily, "dvol_1d.csv.gz", self.daily_header)
        return path

    def test_absent_files_give_no_volatility(self, tmp_path):
        assert read(self.directory(tmp_path, [], [])).volatility == ()

    def test_hourly_is_kept_and_days_fill_what_is_missing(self, tmp_path):
        hourly = [f"{self.midnight * 3600 + 3600 * i},1,1,1,{80 + i}.25" for i in (22, 23)]
        daily = ["BTC,2023-11-14,1,1,1,103.25", "ETH,2023-11-14,1,1,1,50", "BTC,2023-11-15,1,1,1,84.8"]
        series = read(self.directory(tmp_path, hourly, daily)).volatility
        assert [one.symbol for one in series] == ["BTC"]
        assert series[0].hour.tolist() == [self.midnight + 23, self.midnight + 24, self.midnight + 48]
        assert series[0].level_ppm.tolist() == [1_022_500, 1_032_500, 848_000]

    def test_disagreement_is_refused(self, tmp_path):
        hourly = [f"{self.midnight * 3600 + 3600 * 23},1,1,1,80"]
        with pytest.raises(BadHistory, match="disagree"):
            read(self.directory(tmp_path, hourly, ["BTC,2023-11-14,1,1,1,81"]))

    @pytest.mark.parametrize(
        ("row", "problem"),
        [
            ("BTC,2023-11-14,1,1,1,0", "not a volatility"),
            ("BTC,2023-11-14,1,1,1,nan", "not a volatility"),
            ("BTC,14.11.2023,1,1,1,50", "not YYYY-MM-DD"),
            ("BTC,2023-11-13,1,1,1,50", "not after the one before"),
        ],
    )
    def test_a_bad_day_is_named(self, tmp_path, row, problem):
        with pytest.raises(BadHistory, match=problem):
            read(self.directory(tmp_path, [], ["BTC,2023-11-13,1,1,1,50", row]))


def test_real_data_is_read():
    if not SHARED_DATA.is_dir():
        pytest.skip(f"NOT RUN: real data is absent at {SHARED_DATA}")
    history = read_history(SHARED_DATA, ["BTC", "LUNA"])
    bitcoin, luna = history.prices
    assert history.reports[0].missing_hours == 128
    assert bitcoin.close_e8[-1] == 6_277_201_000_000
    assert bitcoin.hour[-1] == history.reports[0].last_hour == 1_719_792_000 // 3600
    assert luna.close_e8[-1] == 5_000
    assert history.volatility[0].symbol == "BTC"
    assert np.all(np.isin(np.arange(449_064, 477_721, 24), history.volatility[0].hour))
