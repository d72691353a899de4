"""Portfolio files: the documented example reads, numbers stay exact, and every mistake is refused by its place."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.errors import BadPortfolio
from oracle.portfolio import parse_portfolio, read_portfolio

pytestmark = pytest.mark.fast
EXAMPLE = Path(__file__).parents[2] / "docs" / "portfolio.example.json"


def example() -> dict:
    return json.loads(EXAMPLE.read_text())


def test_the_documented_example_reads_and_keeps_every_digit() -> None:
    portfolio = read_portfolio(EXAMPLE)
    assert len(portfolio.positions) == 6
    assert portfolio.positions[0].expiry == 1769760000
    assert portfolio.market["BTC"].funding_rate_hourly == Decimal("0.00001")
    assert portfolio.market["ETH"].slices[0].volatility == Decimal("0.62")
    assert portfolio.model.liquidation_fee_ppm == 5000
    assert portfolio.positions[4].multiplier == 1 and portfolio.positions[4].inverse


@given(st.decimals(min_value="-1e20", max_value="1e20", places=12, allow_nan=False))
def test_a_decimal_string_arrives_as_it_was_written(value: Decimal) -> None:
    portfolio = parse_portfolio(json.dumps({**example(), "cash_usd": f"{value:f}"}))
    assert portfolio.cash_usd == value


def put(path: str, value: object) -> str:
    """The example with one value replaced; a path that ends in "-" removes it."""
    data = copy.deepcopy(example())
    *way, last = path.rstrip("-").split(".")
    place = data
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    key = int(last) if isinstance(place, list) else last
    if path.endswith("-"):
        del place[key]
    else:
        place[key] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("market.BTC.spot", 0.5, "market.BTC.spot.*0.5 is neither"),
        ("market.BTC.spot", True, "market.BTC.spot.*True is neither"),
        ("market.BTC.spot", "NaN", "market.BTC.spot.*'NaN'"),
        ("market.BTC.spot", "1e5", "market.BTC.spot.*'1e5'"),
        ("market.BTC.spot", "0", "market.BTC.spot.*greater than 0"),
        ("market.BTC.spot", "9" * 25, "market.BTC.spot"),
        ("market.BTC.spot-", None, "market.BTC.spot.*required"),
        ("market.BTC.spott", "1", "market.BTC.spott.*not permitted"),
        ("market.BTC.slices.0.nodes", ["0.5"] * 6, "market.BTC.slices.0.nodes"),
        ("market.BTC.slices.0.volatility", "0.5", "slices.0.*exactly one of volatility"),
        ("market.ETH.slices.0.volatility-", None, "slices.0.*exactly one of volatility"),
        ("market.ETH.slices.0.volatility", "0", "slices.0.volatility.*greater than 0"),
        ("market.BTC.slices.1.expiry", "2026-01-30T08:00:00Z", "two slices have the same expiry"),
        ("market.BTC.slices.1.expiry", "2026-01-30T08:00:00", "slices.1.expiry.*neither Unix seconds nor a time"),
        ("market.BTC.slices.1.expiry", "soon", "slices.1.expiry.*'soon'"),
        ("market.BTC.slices.1.expiry", 10**15, "slices.1.expiry"),
        ("market.BTC.slices.1.discount", "-1", "slices.1.discount"),
        ("market.BTC.funding_cap_hourly", "-0.1", "funding_cap_hourly"),
        ("market", {}, "market"),
        ("time", "2026-02-01T00:00:00Z", "slice of 2026-01-30 08:00 UTC has expired"),
        ("positions.0.kind", "swaption", "positions.0.kind"),
        ("positions.0.strike-", None, "positions.0.*a put needs a strike"),
        ("positions.0.strike", "-5", "positions.0.strike"),
        ("positions.0.expiry-", None, "positions.0.*a put needs an expiry"),
        ("positions.0.expiry", "2026-02-27T08:00:00Z", "position 0: BTC has no slice that expires at 2026-02-27"),
        ("positions.0.expiry", "2025-02-27T08:00:00Z", "position 0 has expired at 2025-02-27"),
        ("positions.0.underlying", "SOL", "SOL is not in the market"),
        ("positions.3.strike", "5", "positions.3.*a future has no strike"),
        ("positions.5.expiry", "2026-01-30T08:00:00Z", "positions.5.*a perpetual has no expiry"),
        ("positions.5.multiplier", "0", "positions.5.multiplier"),
        ("positions.5.quantity", None, "positions.5.quantity"),
        ("positions.5", {"kind": "spot", "underlying": "BTC", "quantity": 1, "inverse": True}, "leave inverse out"),
        ("collateral.0.quantity", "-1", "collateral.0.quantity"),
        ("collateral.0.underlying", "STETH", "STETH is not in the market"),
        ("collateral.0.same_issuer", ["STETH"], "STETH is not in the market"),
        ("collateral", [{"underlying": "ETH", "quantity": 1}] * 2, "names a token twice"),
        ("model.es_level", 1, "model.es_level.*not permitted"),
        ("model.gross_weight_ppm", 2_000_000, "model.gross_weight_ppm"),
        ("note", "x", "note.*not permitted"),
    ],
)
def test_a_mistake_is_refused_by_its_place(path: str, value: object, named: str) -> None:
    with pytest.raises(BadPortfolio, match=named):
        parse_portfolio(put(path, value))


def test_a_key_that_is_given_twice_is_refused() -> None:
    twice = EXAMPLE.read_text().replace('"cash_usd"', '"cash_usd": "1", "cash_usd"')
    with pytest.raises(BadPortfolio, match="'cash_usd' is given twice"):
        parse_portfolio(twice)
    with pytest.raises(BadPortfolio, match="'BTC' is given twice"):
        parse_portfolio('{"market": {"BTC": {}, "BTC": {}}}')


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 5_000, '{"time": NaN}'])
def test_what_is_no_portfolio_is_refused(text: str) -> None:
    with pytest.raises(BadPortfolio):
        parse_portfolio(text)


def test_a_file_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadPortfolio, match="nowhere.json"):
        read_portfolio(tmp_path / "nowhere.json")
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadPortfolio, match=r"binary.json is not UTF-8"):
        read_portfolio(binary)


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["time", "market", "positions", "BTC", "spot", "kind", "quantity"])
                | st.text(max_size=4),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused(data: object) -> None:
    try:
        parsed = parse_portfolio(json.dumps(data))
    except BadPortfolio as error:
        assert str(error)
    else:
        assert parsed.market and parsed == parse_portfolio(json.dumps(data))
