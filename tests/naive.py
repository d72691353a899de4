"""Plain twins of the engine's kernels: each written from its rule, one number at a time, with the standard library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

SECONDS_PER_YEAR = 365 * 24 * 3600


def normal_cdf(x: float) -> float:
    """Standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def black76(is_call: bool, strike: float, forward: float, total_variance: float, discount: float = 1.0) -> float:
    """Black (1976): D c (F N(c d1) - K N(c d2)); at no variance the payoff, at strike 0 the forward."""
    sign = 1.0 if is_call else -1.0
    if total_variance == 0.0 or strike == 0.0:
        return discount * max(sign * (forward - strike), 0.0)
    deviation = math.sqrt(total_variance)
    d1 = math.log(forward / strike) / deviation + 0.5 * deviation
    d2 = d1 - deviation
    return discount * sign * (forward * normal_cdf(sign * d1) - strike * normal_cdf(sign * d2))


def smile(nodes: Sequence[float], x: float) -> float:
    """Volatility at x: linear between the seven nodes at -3 ... 3, flat beyond."""
    place = min(max(x, -3.0), 3.0) + 3.0
    left = min(int(place), 5)
    return nodes[left] + (place - left) * (nodes[left + 1] - nodes[left])


def moved_volatility(
    nodes: Sequence[float], strike: float, forward: float, years: float, skew: float, stickiness: float, level: float,
    spot_return: float, shock: float, term: float = 0.0, tilt: float = 0.0, bend: float = 0.0,
) -> float:  # fmt: skip
    """atm' [vol(x)/atm] exp(tilt x + bend x^2), x at the new forward and old atm, for the time left."""
    atm = nodes[3]
    if atm == 0.0:
        return 0.0
    moved = atm * math.exp(stickiness * skew / atm * spot_return + level * shock + term)
    x = math.log(strike / forward) / (atm * math.sqrt(years)) if strike > 0.0 else -3.0
    x = min(max(x, -3.0), 3.0)
    return moved * smile(nodes, x) / atm * math.exp(tilt * x + bend * x * x)


def value(
    kind: str, inverse: bool, strike: float, spot: float, forward: float, forward_now: float, variance: float,
    discount: float,
) -> float:  # fmt: skip
    """Worth in USD of one contract with multiplier 1; a coin gain counts at spot.

    An inverse perpetual or future is worth its gain since now, in coin 1/F - 1/F', at spot.
    """
    if kind in ("spot", "perpetual", "future"):
        return spot * (1.0 / forward_now - 1.0 / forward) if inverse and kind != "spot" else forward
    price = black76(kind == "call", strike, forward, variance, discount)
    return spot * price / forward if inverse else price


def tail(profits: Sequence[float], weights: Sequence[float], probability: float) -> tuple[float, float, float]:
    """Expected shortfall, value at risk and worst loss; Acerbi and Tasche, the boundary counted in part.

    Masses in exact fractions; the boundary is reached at 1 - 1e-9 of the mass.
    """
    pairs = sorted((p, Fraction(w)) for p, w in zip(profits, weights, strict=True) if w > 0)
    mass = Fraction(probability) * sum(w for _, w in pairs)
    reached = Fraction(0)
    boundary = pairs[-1][0]
    for profit, weight in pairs:
        reached += weight
        if reached >= mass * (1 - Fraction(1, 10**9)):
            boundary = profit
            break
    below = [(p, w) for p, w in pairs if p < boundary]
    rest = mass - sum(w for _, w in below)
    total = sum(w * Fraction(p) for p, w in below) + rest * Fraction(boundary)
    return float(-total / mass), -boundary, -pairs[0][0]


def stress(profits: Sequence[float], weights: Sequence[float]) -> tuple[float, int]:
    """Largest weight x loss and the first scenario that gives it."""
    losses = [-w * p for p, w in zip(profits, weights, strict=True)]
    worst = max(losses)
    return worst, losses.index(worst)


def account_profits(table: Sequence[Sequence[Sequence[float]]], holdings: Sequence[tuple[int, float]]) -> list[float]:
    """Profit of an account in each scenario, the lowest of the steps; `table` is [instrument][step][scenario]."""
    steps, scenarios = len(table[0]), len(table[0][0])
    return [
        min(math.fsum(quantity * table[i][step][s] for i, quantity in holdings) for step in range(steps))
        for s in range(scenarios)
    ]


def interpolated(knots: Sequence[float], values: Sequence[float], x: float) -> float:
    """Piecewise linear between the knots, flat outside."""
    if x <= knots[0]:
        return values[0]
    for i in range(len(knots) - 1):
        if x < knots[i + 1]:
            return values[i] + (x - knots[i]) / (knots[i + 1] - knots[i]) * (values[i + 1] - values[i])
    return values[-1]


def hashed(word: int) -> int:
    """The finaliser of SplitMix64 on a 64-bit word."""
    word = (word + 0x9E3779B97F4A7C15) % 2**64
    word = (word ^ word // 2**30) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ word // 2**27) * 0x94D049BB133111EB % 2**64
    return word ^ word // 2**31


def owen_scrambled(x: int, key: int) -> int:
    """A 32-bit number with each binary digit flipped by a hash of the digits before it."""
    digits = f"{x:032b}"
    flipped = [int(digit) ^ hashed(key ^ int("1" + digits[:k], 2)) // 2**63 for k, digit in enumerate(digits)]
    return int("".join(map(str, flipped)), 2)
