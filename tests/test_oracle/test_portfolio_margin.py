"""`margin-oracle margin`: pinned decompositions, what adds up, what is labelled, and how mistakes end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from oracle.cli import app
from oracle.errors import BadPortfolio
from oracle.portfolio import parse_portfolio
from oracle.valuation import portfolio_past, save_calibration
from oracle.valuation.portfolio import portfolio_margin
from oracle.valuation.portfolio_past import Past, past_of
from tests import model_cases
from tests.golden_margins import CASES, computed

pytestmark = pytest.mark.fast
FILES = sorted(CASES.glob("*.json"))
EXAMPLE = Path(__file__).parents[2] / "docs" / "portfolio.example.json"
PAST = Past("small calibration", model_cases.small_calibration())
ROUNDING = 1e-6
"""Relative; the small calibration is fitted by NumPy, whose last digits depend on the machine."""


def case(name: str) -> dict:
    return json.loads((CASES / f"{name}.json").read_text())["portfolio"]


def assert_near(found: object, pinned: object, place: str) -> None:
    if isinstance(pinned, dict):
        assert isinstance(found, dict) and list(found) == list(pinned), place
        for name, value in pinned.items():
            assert_near(found[name], value, f"{place}.{name}")
    elif isinstance(pinned, list):
        assert isinstance(found, list) and len(found) == len(pinned), place
        for number, value in enumerate(pinned):
            assert_near(found[number], value, f"{place}.{number}")
    elif isinstance(pinned, int):
        assert found == pytest.approx(pinned, rel=ROUNDING, abs=100), place
    else:
        assert found == pinned, place


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_pinned_decompositions(path: Path) -> None:
    """On a change of the model that is meant: `python -m tests.golden_margins`, and read the difference."""
    data = json.loads(path.read_text())
    assert_near(computed(data["portfolio"]), data["margin"], path.stem)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_integers_add_up_exactly(path: Path) -> None:
    margin = portfolio_margin(parse_portfolio(json.dumps(case(path.stem))), PAST)
    for horizon in (margin.initial, margin.maintenance):
        assert sum(horizon.components.values()) == horizon.required_micro
        assert sum(leg.share_micro for leg in horizon.legs) == horizon.shared_micro
        assert len(horizon.worst) <= 10
    assert margin.initial.required_micro >= margin.maintenance.required_micro


def test_an_empty_portfolio_asks_nothing() -> None:
    portfolio = parse_portfolio(json.dumps({**case("linear_hedge"), "positions": []}))
    margin = portfolio_margin(portfolio, PAST)
    assert margin.initial.required_micro == margin.maintenance.required_micro == 0
    assert margin.initial.binding == "none" and margin.initial.worst == () and margin.initial.legs == ()
    assert margin.equity_micro == 25_000 * 10**6


def test_a_flat_smile_as_nodes_as_one_number_and_as_svi_is_one_smile() -> None:
    data = case("short_strangle")
    slices = data["market"]["BTC"]["slices"]
    years = (1_467_792_000 - 1_465_200_600) / (365 * 86_400)
    flat = [
        {"volatility": "0.5"},
        {"nodes": ["0.5"] * 7},
        {"svi": {"a": f"{0.25 * years:.18f}", "b": 0, "rho": 0, "m": 0, "sigma": "0.1"}},
    ]
    asked = []
    for smile in flat:
        kept = {name: slices[0][name] for name in ("expiry", "forward")}
        data["market"]["BTC"]["slices"] = [{**kept, **smile}]
        asked.append(portfolio_margin(parse_portfolio(json.dumps(data)), PAST).initial.required_micro)
    assert asked[0] == asked[1] == pytest.approx(asked[2], rel=1e-9)


def test_a_hedge_has_a_negative_share_and_collateral_is_a_leg() -> None:
    margin = portfolio_margin(parse_portfolio(json.dumps(case("calendar_inverse"))), PAST)
    shares = [leg.share_micro for leg in margin.initial.legs]
    assert min(shares) < 0 < max(shares)
    token = portfolio_margin(parse_portfolio(json.dumps(case("box_with_collateral"))), PAST)
    assert token.initial.legs[-1].position == "collateral ETH"
    assert token.equity_micro >= token.initial.legs[-1].value_micro == 2 * 3_000 * 10**6 - 1
    assert token.initial.components["collateral"] > 0


def test_a_token_that_hedges_lowers_and_one_of_the_same_issuer_does_not() -> None:
    data = case("linear_hedge")
    short = [p for p in data["positions"] if p["underlying"] == "ETH"]
    asked = {}
    for name, tokens in {
        "cash": [],
        "hedge": [{"underlying": "ETH", "quantity": "20"}],
        "same issuer": [{"underlying": "ETH", "quantity": "20", "same_issuer": ["ETH"]}],
    }.items():
        portfolio = parse_portfolio(json.dumps({**data, "positions": short, "collateral": tokens}))
        asked[name] = portfolio_margin(portfolio, PAST).initial
    assert asked["hedge"].required_micro < 0.5 * asked["cash"].required_micro
    assert asked["same issuer"].required_micro > asked["cash"].required_micro
    token = asked["same issuer"].legs[-1]
    assert token.share_micro == 0 and token.alone_micro > 0
    assert asked["same issuer"].components["collateral"] == pytest.approx(token.alone_micro, abs=2)
    assert asked["hedge"].legs[-1].share_micro * asked["hedge"].legs[0].share_micro < 0


def test_the_engines_refusal_names_the_value() -> None:
    data = case("linear_hedge")
    data["market"]["BTC"]["spot"] = "99999999999999999999"
    with pytest.raises(BadPortfolio, match="spot"):
        portfolio_margin(parse_portfolio(json.dumps(data)), PAST)
    other = {**case("linear_hedge"), "model": {"es_level_ppm": 975_000}}
    with pytest.raises(BadPortfolio, match="es_level is 0.975 in the model"):
        portfolio_margin(parse_portfolio(json.dumps(other)), PAST)


def test_a_calibration_from_after_the_portfolio_is_refused(tmp_path: Path) -> None:
    save_calibration(tmp_path / "calibration.json", PAST.calibration)
    early = parse_portfolio(json.dumps({**case("linear_hedge"), "time": 1_465_196_399}))
    with pytest.raises(
        BadPortfolio, match="ends at 2016-06-06 07:00 UTC, after the portfolio's time, 2016-06-06 06:59"
    ):
        past_of(early, tmp_path / "calibration.json", None)
    with pytest.raises(BadPortfolio, match="give one of --calibration and --history"):
        past_of(early, tmp_path / "calibration.json", tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    artefact, portfolio = tmp_path / "calibration.json", tmp_path / "portfolio.json"
    save_calibration(artefact, PAST.calibration)
    portfolio.write_text(json.dumps(case("linear_hedge")))
    return str(portfolio), str(artefact)


def test_the_command_prints_json_that_is_the_case(files: tuple[str, str]) -> None:
    arguments = ["margin", "--portfolio", files[0], "--calibration", files[1], "--json", "--venues"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    pinned = json.loads((CASES / "linear_hedge.json").read_text())["margin"]
    assert printed["calibration_label"] == "artefact calibration.json"
    assert printed["calibration_hash"] == PAST.calibration.content_hash
    assert_near(printed["initial"], pinned["initial"], "initial")
    assert [one["venue"] for one in printed["venues"]] == ["Deribit", "Derive PMRM", "SPAN 16", "Paradex"]


def test_the_command_prints_tables_that_name_their_calibration(files: tuple[str, str]) -> None:
    result = CliRunner().invoke(app, ["margin", "--portfolio", files[0], "--calibration", files[1]])
    assert result.exit_code == 0, result.output
    titles = [line for line in result.stdout.splitlines() if "artefact calibration.json" in line]
    assert len(titles) >= 8
    for words in ("initial requirement", "binding: gross", "+ share of gross", "perpetual ETH", "block that begins"):
        assert words in result.stdout
    assert "venue" not in result.stdout and "leg floor" not in result.stdout


@pytest.mark.parametrize("wrong", ["portfolio", "calibration"])
def test_the_command_ends_with_the_class_of_the_mistake(files: tuple[str, str], tmp_path: Path, wrong: str) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    portfolio, artefact = (str(broken), files[1]) if wrong == "portfolio" else (files[0], str(broken))
    result = CliRunner().invoke(app, ["margin", "--portfolio", portfolio, "--calibration", artefact])
    assert result.exit_code == 65
    assert "broken.json" in result.stderr and "Traceback" not in result.output


def test_without_a_calibration_everything_says_that_the_history_is_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portfolio_past, "SIMULATED_HOURS", 9_000)
    result = CliRunner().invoke(app, ["margin", "--portfolio", str(EXAMPLE)])
    assert result.exit_code == 0, result.output
    assert result.stdout.count("simulated history") >= 9
    assert "simulated block that begins" in result.stdout and " block that begins" in result.stdout


def test_a_simulated_past_ends_at_the_portfolio_and_a_venue_without_ranges_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(portfolio_past, "SIMULATED_HOURS", 9_000)
    data = json.loads(EXAMPLE.read_text())
    data["market"]["SOL"] = {"spot": "150"}
    data["positions"] = [{"kind": "perpetual", "underlying": "SOL", "quantity": "10"}]
    portfolio = parse_portfolio(json.dumps(data))
    margin = portfolio_margin(portfolio, past_of(portfolio, None, None), venues=True)
    assert margin.calibration_label == "simulated history" and margin.calibration_last == "2026-01-08 21:00 UTC"
    asked = {one.venue: one for one in margin.venues}
    assert asked["Deribit"].required_micro is None and "no ranges for SOL" in asked["Deribit"].note
    assert asked["Paradex"].required_micro == pytest.approx(10 * 150 * 0.16e6, rel=1e-6)


def test_a_directory_of_prices_is_fitted_up_to_the_portfolios_time(tmp_path: Path) -> None:
    hours = 9_500
    for seed, symbol in enumerate(("BTC", "ETH")):
        bars = model_cases.history(symbol, seed, hours)
        price = bars.close_e8 / 1e8
        rows = np.column_stack([(bars.hour - 1) * 3_600, price, price, price, price, bars.volume])
        text = "\n".join(",".join([str(int(row[0])), *(repr(float(v)) for v in row[1:])]) for row in rows)
        (tmp_path / f"{symbol}.csv").write_text("ts,open,high,low,close,volume\n" + text + "\n")
    time = int(model_cases.FIRST_HOUR + 9_400) * 3_600
    expiry = time + 30 * 86_400
    data = case("linear_hedge")
    for market in data["market"].values():
        market["slices"] = [{"expiry": expiry, "forward": market["spot"], "volatility": "0.6"}]
    data["positions"] = [p for p in data["positions"] if p["kind"] == "perpetual"]
    (tmp_path / "portfolio.json").write_text(json.dumps({**data, "time": time}))
    arguments = ["margin", "--portfolio", str(tmp_path / "portfolio.json"), "--history", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed["calibration_label"].startswith("history ")
    assert printed["calibration_last"] == portfolio_past.utc(time)
