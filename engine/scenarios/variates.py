"""Uniform points -> the variates of the joint dynamics, drawn more often where tails are, with their probabilities.

Common tail inflation: what every book loses to is drawn more often, and each scenario carries the ratio of its true to
its drawn density. What is inflated does not depend on any book, so that one set serves all accounts:

    mixing            its upper tail probability is v = u^a: ratio a u^(a-1), at most a
    market, level     the first two normals, s times as wide: ratio s exp(-(s^2 - 1) z^2 / 2), at most s
    a jump            happens with probability q instead of p: ratios p / q and (1 - p) / (1 - q)

The uniforms' order is that of what they matter, since the first dimensions of a net are its best: mixing, market,
level, whether there is a jump, its size, the other normals, shape factors, sizes of further jumps.

Source: P. Glasserman (2004), Monte Carlo methods in financial engineering, section 4.6.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.joint import MIXING_LIMIT, MIXING_STEPS, NANO, HorizonDynamics, Jumps
from engine.kernels.interpolation import interpolate
from engine.kernels.special import exp_array, inverse_normal_cdf_array, log_array
from engine.scenarios.scenario_set import SHAPE_FACTORS

Vector = NDArray[np.float64]

MOST_JUMPS = 3
"""Within one horizon; more count as this many. At 2 % a day for one, the fourth has 7e-9."""
_MIXING, _MARKET, _LEVEL, _OCCURRENCE, _SIZE, _OTHERS = range(6)


class Inflation(NamedTuple):
    """How much more often tails are drawn; the default draws everything as it is."""

    mixing_power: int = 1
    market_width: float = 1.0
    level_width: float = 1.0
    jump_share: float = 0.0


class Variates(NamedTuple):
    """S draws: mixing (S,), normal (2U, S), jump and jump_size (S,), shape (7, S), probability (S,).

    `jump` is the sum of the common log moves, `jump_size` that of their absolute values; `probability` is relative,
    its expectation 1.
    """

    mixing: Vector
    normal: Vector
    jump: Vector
    jump_size: Vector
    shape: Vector
    probability: Vector


def dimensions(assets: int) -> int:
    """Return how many uniforms a scenario takes."""
    return _OTHERS + 2 * assets - 2 + SHAPE_FACTORS + MOST_JUMPS - 1


def variates(uniform: Vector, horizon: HorizonDynamics, jumps: Jumps, inflation: Inflation) -> Variates:
    """Turn uniforms, shape (`dimensions`, S), within (0, 1), into draws."""
    others = _OTHERS + len(horizon.sign) - 2
    shapes = others + SHAPE_FACTORS
    normal = inverse_normal_cdf_array(uniform)
    mixing, mixing_ratio = _mixing(uniform[_MIXING], horizon, inflation.mixing_power)
    market, market_ratio = _widened(normal[_MARKET], inflation.market_width)
    level, level_ratio = _widened(normal[_LEVEL], inflation.level_width)
    number, jump_ratio = _number(uniform[_OCCURRENCE], jumps.intensity_hourly * horizon.hours, inflation.jump_share)
    jump, size = _jump(np.concatenate([uniform[_SIZE, None], uniform[shapes:]]), number, jumps)
    return Variates(
        mixing=mixing,
        normal=np.concatenate([market[None], level[None], normal[_OTHERS:others]]),
        jump=jump,
        jump_size=size,
        shape=normal[others:shapes],
        probability=mixing_ratio * market_ratio * level_ratio * jump_ratio,
    )


def _mixing(uniform: Vector, horizon: HorizonDynamics, power: int) -> tuple[Vector, Vector]:
    upper, ratio = uniform, np.full(uniform.size, float(power))
    for _ in range(power - 1):
        upper, ratio = upper * uniform, ratio * uniform
    steps = np.arange(MIXING_STEPS + 1).astype(np.float64)
    grid = MIXING_LIMIT * (2.0 * steps / MIXING_STEPS - 1.0)
    return interpolate(grid, horizon.mixing_nano / NANO, -inverse_normal_cdf_array(upper)), ratio


def _widened(normal: Vector, width: float) -> tuple[Vector, Vector]:
    ratio = width * exp_array(-0.5 * (width * width - 1.0) * normal * normal)
    return width * normal, ratio


def _number(uniform: Vector, mean: float, share: float) -> tuple[NDArray[np.int64], Vector]:
    """Number of jumps by inversion of the Poisson distribution, its upper tail at small uniforms."""
    term = float(exp_array(-mean))
    tails = []
    tail = 1.0
    for count in range(MOST_JUMPS):
        tail = max(tail - term, 0.0)
        tails.append(tail)
        term *= mean / (count + 1)
    some = tails[0]
    drawn = max(some, share) if some > 0.0 else 0.0
    if drawn == 0.0:
        return np.zeros(uniform.size, dtype=np.int64), np.ones(uniform.size)
    jumped = uniform < drawn
    upper = uniform * (some / drawn)
    number = sum(((upper < tail).astype(np.int64) for tail in tails[1:]), start=np.ones(uniform.size, dtype=np.int64))
    return np.where(jumped, number, 0), np.where(jumped, some / drawn, (1.0 - some) / (1.0 - drawn))


def _jump(uniform: Vector, number: NDArray[np.int64], jumps: Jumps) -> tuple[Vector, Vector]:
    """Sum of the jumps and of their absolute sizes; each rises with its uniform."""
    down = 1.0 - jumps.up_probability
    total, size = np.zeros(number.size), np.zeros(number.size)
    for k, drawn in enumerate(uniform):
        falls = drawn < down
        share = np.where(falls, drawn, 1.0 - drawn) / np.where(falls, down, jumps.up_probability)
        excess = np.where(falls, jumps.excess_down, jumps.excess_up) * -log_array(share)
        move = np.where(falls, -1.0, 1.0) * (jumps.least_size + excess)
        counted = np.where(k < number, move, 0.0)
        total, size = total + counted, size + np.abs(counted)
    return total, size
