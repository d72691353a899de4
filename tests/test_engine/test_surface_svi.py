"""SVI and static arbitrage: parametrisations agree, derivatives are derivatives, checks find what is wrong.

Quoted chains of ../shared/data pass the guard when they are there; without them that one test is skipped, aloud.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.surface.arbitrage import (
    ROUNDING,
    NodeSlice,
    durrleman,
    failures,
    node_butterflies,
    node_calendars,
    svi_butterflies,
    svi_calendars,
    svi_nodes,
)
from engine.surface.repair import repaired_market, repaired_slice
from engine.surface.svi import (
    JumpWings,
    RawSvi,
    butterfly_free,
    jump_wings_from_raw,
    natural_from_raw,
    power_law_curvature,
    raw_from_jump_wings,
    raw_from_natural,
    total_variance,
    without_butterflies,
)
from engine.validation.closed_forms.own_kernels import black76_price
from tests.model_cases import market

pytestmark = pytest.mark.fast

VOGT = RawSvi(a=-0.041, b=0.1331, rho=0.306, m=0.3586, sigma=0.4153)
"""Axel Vogt's slice: total variance is positive everywhere and a butterfly costs less than nothing."""
K = np.linspace(-2.0, 2.0, 401)
FLAT = np.ones(7)
CHAINS = Path(__file__).resolve().parents[3] / "shared" / "data" / "option_chains.csv.gz"

slices = st.builds(
    lambda least, b, rho, m, sigma: RawSvi(least - b * sigma * math.sqrt(1.0 - rho * rho) + 1e-9, b, rho, m, sigma),
    st.floats(0.001, 0.5), st.floats(0.01, 1.0), st.floats(-0.9, 0.9), st.floats(-0.5, 0.5), st.floats(0.05, 1.0),
)  # fmt: skip
node_volatilities = st.lists(st.floats(0.05, 3.0), min_size=7, max_size=7).map(np.array)
years = st.floats(0.001, 2.0)


def near(first: RawSvi, second: RawSvi) -> bool:
    return all(
        math.isclose(getattr(first, name), getattr(second, name), rel_tol=1e-6, abs_tol=1e-8)
        for name in ("a", "b", "rho", "m", "sigma")
    )


@settings(max_examples=100, deadline=None)
@given(svi=slices)
def test_natural_parameters_give_the_slice_back(svi):
    natural = natural_from_raw(svi)
    assert near(raw_from_natural(natural), svi)
    # its own formula gives the same total variance
    z = natural.zeta * (K - natural.mu)
    root = np.sqrt((z + natural.rho) ** 2 + 1.0 - natural.rho**2)
    level = natural.delta + natural.omega / 2.0 * (1.0 + natural.rho * z + root)
    assert np.allclose(level, total_variance(svi, K).level, rtol=1e-9, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(svi=slices, t=years)
def test_jump_wings_give_the_slice_back(svi, t):
    wings = jump_wings_from_raw(svi, t)
    assume(abs(wings.skew) > 0.01)
    assert near(raw_from_jump_wings(wings, t), svi)


def test_jump_wings_are_what_they_are_called():
    """Skew is the slope of sqrt(w) at the money; slopes are those far out; both by differences."""
    t, h = 0.5, 1e-5
    wings = jump_wings_from_raw(VOGT, t)
    w = total_variance(VOGT, np.array([-h, 0.0, h, -1e6, 1e6])).level
    assert wings.variance == pytest.approx(w[1] / t)
    assert wings.skew == pytest.approx((math.sqrt(w[2]) - math.sqrt(w[0])) / (2 * h), rel=1e-6)
    assert wings.put_slope == pytest.approx(w[3] / 1e6 / math.sqrt(w[1]), rel=1e-4)
    assert wings.call_slope == pytest.approx(w[4] / 1e6 / math.sqrt(w[1]), rel=1e-4)
    assert wings.least_variance == pytest.approx(total_variance(VOGT, np.linspace(-1, 1, 20_001)).level.min() / t)


@settings(max_examples=50, deadline=None)
@given(svi=slices, k=st.floats(-1.0, 1.0))
def test_derivatives_are_derivatives(svi, k):
    h = 1e-4
    w = total_variance(svi, np.array([k - h, k, k + h]))
    assert w.slope[1] == pytest.approx((w.level[2] - w.level[0]) / (2 * h), rel=1e-3, abs=1e-5)
    assert w.curvature[1] == pytest.approx((w.slope[2] - w.slope[0]) / (2 * h), rel=1e-3, abs=1e-4)


def test_g_is_the_density():
    """The second difference of Black-76 prices by strike is g times a normal density: both are negative together."""
    strike = np.exp(np.linspace(0.4, 1.4, 41))
    h = 1e-3
    for value in strike:
        ladder = value + h * np.array([-1.0, 0.0, 1.0])
        k = np.log(ladder)
        w = total_variance(VOGT, k)
        price = [black76_price(True, x, np.ones(1), v[None], 1.0)[0] for x, v in zip(ladder, w.level, strict=True)]
        density = (price[0] - 2.0 * price[1] + price[2]) / h**2
        d2 = -k[1] / math.sqrt(w.level[1]) - 0.5 * math.sqrt(w.level[1])
        normal = math.exp(-0.5 * d2 * d2) / math.sqrt(2.0 * math.pi * w.level[1])
        assert density * value == pytest.approx(durrleman(k, w)[1] * normal, rel=1e-3, abs=1e-6)


def test_vogt_butterflies_are_found_and_repaired():
    bad = svi_butterflies(VOGT, K)
    assert bad.min() == pytest.approx(0.65, abs=0.011)
    assert bad.max() == pytest.approx(1.25, abs=0.011)
    wings = without_butterflies(jump_wings_from_raw(VOGT, 1.0))
    assert wings.call_slope == pytest.approx(0.3493158, abs=1e-5)
    assert wings.least_variance == pytest.approx(0.01548182, abs=1e-6)
    assert svi_butterflies(raw_from_jump_wings(wings, 1.0), K).size == 0


@settings(max_examples=100, deadline=None)
@given(theta=st.floats(0.001, 2.0), eta=st.floats(0.1, 3.0), gamma=st.floats(0.0, 1.0), rho=st.floats(-0.95, 0.95))
def test_the_sufficient_conditions_suffice(theta, eta, gamma, rho):
    phi = power_law_curvature(theta, eta, gamma)
    if butterfly_free(theta, phi, rho)[2]:
        g = durrleman(K, total_variance(RawSvi(
            a=theta / 2.0 * (1.0 - rho * rho), b=theta * phi / 2.0, rho=rho, m=-rho / phi,
            sigma=math.sqrt(1.0 - rho * rho) / phi), K))  # fmt: skip
        assert g.min() > -1e-9


def test_calendars_of_svi():
    later = RawSvi(VOGT.a + 0.01, VOGT.b, VOGT.rho, VOGT.m, VOGT.sigma)
    assert svi_calendars(VOGT, later, K).size == 0
    assert svi_calendars(later, VOGT, K).size == K.size
    steeper = RawSvi(0.02, 0.3, -0.7, 0.0, 0.2)
    assert 0 < svi_calendars(steeper, later, K).size < K.size


def test_nodes_lie_on_the_slice():
    t = 0.25
    svi = RawSvi(0.01, 0.05, -0.4, 0.02, 0.1)
    nodes = svi_nodes(svi, t)
    assert np.allclose(nodes.total_variance_at(nodes.node_k), total_variance(svi, nodes.node_k).level, rtol=1e-13)
    assert nodes.volatility[3] ** 2 * t == pytest.approx(total_variance(svi, np.zeros(1)).level[0])
    far = nodes.total_variance_at(np.array([-10.0, 10.0]))
    assert far == pytest.approx(nodes.volatility[[0, 6]] ** 2 * t)


def test_ordinary_surfaces_do_not_fail():
    assert failures(market()) == []
    assert repaired_market(market()) is None


def test_a_spike_is_a_butterfly_and_a_dear_week_is_a_calendar():
    state = market()
    nodes = state.vol_nodes.copy()
    nodes[1, 5] *= 2.0  # one node of BTC's month
    nodes[3] *= 3.0  # all of ETH's week
    broken = type(state)(**{name: getattr(state, name) for name in state.__dataclass_fields__} | {"vol_nodes": nodes})
    found = failures(broken)
    assert {(f.slice, f.kind) for f in found} >= {(1, "butterfly"), (4, "calendar")}
    assert all(f.slice in (1, 2, 4) for f in found)
    repaired = repaired_market(broken)
    assert failures(repaired) == []
    assert np.array_equal(repaired.vol_nodes[[0, 3, 5]], nodes[[0, 3, 5]])


@settings(max_examples=200, deadline=None)
@given(quoted=st.lists(node_volatilities, min_size=1, max_size=4), step=years)
def test_whatever_is_quoted_has_a_repair(quoted, step):
    before = None
    for number, volatility in enumerate(quoted, start=1):
        repaired = repaired_slice(NodeSlice(volatility, number * step), before)
        assert node_butterflies(repaired).size == 0
        assert before is None or node_calendars(before, repaired).size == 0
        assert np.all(repaired.volatility > 0.0)
        assert repaired.volatility.max() <= max(v.max() for v in quoted) * (1.0 + ROUNDING)
        before = repaired


def test_what_does_not_fail_is_left_to_the_bit():
    smile = NodeSlice(0.5 * (1.0 - 0.05 * np.arange(-3.0, 4.0) + 0.02 * np.arange(-3.0, 4.0) ** 2), 0.1)
    assert repaired_slice(smile, NodeSlice(0.4 * FLAT, 0.05)).volatility is smile.volatility


def quoted_slices() -> dict[tuple[str, str], list[NodeSlice]]:
    """Out-of-the-money marks of each snapshot and currency at the nodes, soonest first; linear between strikes."""
    quotes = defaultdict(list)
    with gzip.open(CHAINS, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            k = math.log(float(row["strike"]) / float(row["fwd"]))
            seconds = float(row["expiry_ts"]) - float(row["snapshot_ts"])
            if row["mark_iv"] and seconds > 43_200.0 and (row["cp"] == "C") == (k >= 0.0):
                key = row["snapshot"], row["currency"], row["expiry_ts"]
                quotes[key].append((k, float(row["mark_iv"]), seconds / (365.0 * 86_400.0)))
    found = defaultdict(list)
    for (snapshot, currency, _), rows in sorted(quotes.items()):
        k, volatility, t = np.array(sorted(rows)).T
        deviation = np.interp(0.0, k, volatility) * math.sqrt(t.mean())
        nodes = NodeSlice(np.interp(np.arange(-3.0, 4.0) * deviation, k, volatility), float(t.mean()))
        found[snapshot, currency].append(nodes)
    return found


def test_quoted_chains_hardly_ever_fail():
    """No butterfly in any; a calendar only where the strikes end and a wing goes on flat."""
    if not CHAINS.is_file():
        pytest.skip(f"NOT RUN: quoted chains are absent at {CHAINS}")
    chains = quoted_slices()
    count = sum(len(chain) for chain in chains.values())
    assert count > 100
    assert all(node_butterflies(nodes).size == 0 for chain in chains.values() for nodes in chain)
    pairs = [pair for chain in chains.values() for pair in zip(chain, chain[1:], strict=False)]
    crossing = [node_calendars(*pair) for pair in pairs if node_calendars(*pair).size]
    assert len(crossing) <= 0.05 * count
    assert all(np.all(np.abs(x) >= 2.0) for x in crossing)


def test_what_is_no_slice_is_refused():
    with pytest.raises(InvalidInput):
        RawSvi(-1.0, 0.1, 0.0, 0.0, 0.1)
    with pytest.raises(InvalidInput):
        RawSvi(0.1, 0.1, 1.0, 0.0, 0.1)
    with pytest.raises(InvalidInput):
        RawSvi(0.1, 0.1, 0.0, math.nan, 0.1)
    with pytest.raises(InvalidInput):
        raw_from_jump_wings(JumpWings(0.04, 0.0, 0.3, 0.3, 0.04), 1.0)
    with pytest.raises(InvalidInput):
        raw_from_jump_wings(JumpWings(0.04, 2.0, 0.3, 0.3, 0.03), 1.0)
    with pytest.raises(InvalidInput):
        without_butterflies(JumpWings(0.04, -0.5, 0.3, 0.3, 0.03))
