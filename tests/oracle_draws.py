"""Strategies for what people may ask of the contract: sets, limits, times and changes, sound ones and others."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.oracle_model import DAY, OWNER_FUNCTIONS, ZERO, Bounds, MarketConfig, SignerSet, Timing, Values
from tests.oracle_pair import CUSTODIANS, NEVER_CONFIGURED, STRANGER
from tests.signed_reports import ADDRESSES

OWNER, NEXT_OWNER, GUARDIAN, NEXT_GUARDIAN = ("0x" + each * 20 for each in ("a1", "a2", "b1", "b2"))
PEOPLE = (OWNER, NEXT_OWNER, GUARDIAN, NEXT_GUARDIAN, STRANGER, *CUSTODIANS)
MARKETS = (1, 2, 2**32 - 1)
MARKETS_READ = (*MARKETS, NEVER_CONFIGURED)
UINT32_MAX = 2**32 - 1
FIRST_SET = SignerSet(3, 4, ADDRESSES[2:7])
DEFAULT = MarketConfig(
    True,
    300_000,
    Bounds(10_000, 900_000, 250_000, 20_000, 0, 36_000),
    Bounds(5_000, 800_000, 0, 0, 18_000, 36_000),
    Bounds(0, 500_000, 500_000, 1_000, 0, 36_000),
)
QUICK = DEFAULT._replace(
    fallback_initial_ppm=10_000,
    initial=Bounds(1, UINT32_MAX, UINT32_MAX, UINT32_MAX, 0, UINT32_MAX),
    maintenance=Bounds(1, UINT32_MAX, 0, 0, UINT32_MAX, UINT32_MAX),
    slope=Bounds(0, UINT32_MAX, UINT32_MAX, 0, 0, UINT32_MAX),
)
TIGHT = MarketConfig(
    True,
    110_000,
    Bounds(90_000, 150_000, 33_333, 0, 0, 1_111),
    Bounds(45_000, 90_000, 0, 0, 777, 1_111),
    Bounds(1_000, 4_000, 0, 17, 0, 0),
)
CONFIGS = (DEFAULT, QUICK, TIGHT)
FIRST_VALUES: Values = (100_000, 120_000, 50_000, 60_000, 2_000, 3_000)

addresses = st.sampled_from((*PEOPLE, ZERO))
around = st.sampled_from((-1, 0, 0, 1))


def mostly(usual: object, *others: object) -> st.SearchStrategy[Any]:
    """Draw the first in half of the cases."""
    return st.sampled_from((usual,) * len(others) + others) if others else st.just(usual)


@st.composite
def signer_sets(draw: st.DrawFn) -> SignerSet:
    """Draw a set, one in three of them not acceptable."""
    count = draw(st.sampled_from((2, 3, 4, 5, 5, 7, 32)))
    first = draw(st.integers(0, 40 - count))
    threshold = draw(st.integers(count // 2 + 1, count - 1)) if count > 2 else 2
    step_threshold = draw(st.integers(threshold + 1, max(count, threshold + 1)))
    signers = ADDRESSES[first : first + count]
    members = SignerSet(threshold, step_threshold, signers)
    if draw(st.sampled_from((True, True, False))):
        return members
    fault = draw(st.sampled_from(("half", "half", "equal", "above", "twice", "order", "zero", "many", "nobody")))
    if fault == "half":
        return members._replace(threshold=count // 2)
    if fault == "equal":
        return members._replace(step_threshold=threshold)
    if fault == "above":
        return members._replace(step_threshold=count + 1)
    if fault == "twice":
        return members._replace(signers=(signers[0], *signers[:-1]))
    if fault == "order":
        return members._replace(signers=signers[::-1])
    if fault == "zero":
        return members._replace(signers=(ZERO, *signers[1:]))
    if fault == "many":
        return SignerSet(20, 25, ADDRESSES[:33])
    return SignerSet(0, 0, ())


@st.composite
def configs(draw: st.DrawFn) -> MarketConfig:
    """Draw limits, some of them contradictory."""
    config: MarketConfig = draw(st.sampled_from(CONFIGS))
    if draw(mostly(True, False)):
        return config
    group = draw(st.sampled_from(("initial", "maintenance", "slope")))
    limit = draw(st.sampled_from(Bounds._fields))
    bounds: Bounds = getattr(config, group)
    near = draw(st.sampled_from((0, 1, bounds.minimum, bounds.maximum, bounds.minimum + 1, bounds.maximum + 1, 10**6)))
    spoilt = config._replace(**{group: bounds._replace(**{limit: min(near, UINT32_MAX)})})
    fallback = config.initial.minimum + draw(st.sampled_from((-1, 0, 1)))
    return draw(
        st.sampled_from((spoilt, config._replace(fallback_initial_ppm=fallback), config._replace(exists=False)))
    )


timings = st.builds(
    Timing,
    mostly(3_600, 0, 1, 86_400, 2**24 - 1),
    mostly(600, 0, 1, 7_200, 2**24 - 1),
    mostly(0, 120, 900, 65_535),
)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, tuple[object, ...]]:
    """Draw an owner function's call."""
    name = draw(st.sampled_from(tuple(OWNER_FUNCTIONS)))
    if name == "setSigners":
        return name, (draw(signer_sets()),)
    if name == "configureMarket":
        return name, (draw(st.sampled_from(MARKETS)), draw(mostly("ETH-PERP", "", "a" * 33)), draw(configs()))
    if name == "setTiming":
        return name, (draw(timings),)
    if name == "grantRotation":
        return name, (
            draw(st.sampled_from((*CUSTODIANS, *CUSTODIANS, ZERO))),
            draw(st.sampled_from((*ADDRESSES[:8], ZERO))),
        )
    if name == "setOwnerDelay":
        return name, (draw(st.sampled_from((0, 1, 3_600, 2 * DAY, 30 * DAY, 30 * DAY + 1))),)
    return name, (draw(addresses),)
