"""Simulated markets whose true tail can be known: what a bound with a stated probability is measured against.

Two families of hourly returns of one asset, everything in a world's own constants:

    garch    simple return r = sqrt(h) z, z Student t of variance 1;
             h <- omega + (alpha + gamma 1[r < 0]) r^2 + beta h
    jump     log return s z - s^2/2 + J, z normal; with probability p an hour holds one jump J, exponential on either
             side;   p <- base + decay (p - base) + excitation 1[jump]

A world gives a history with the state that its future depends on, and moves from any state, of which
`engine.validation.true_tails` makes the truth. Student tails stand on simple returns: on log returns the mean of
exp(r), hence the ES of any short, would be infinite.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine._jit import kernel
from engine.validation.closed_forms.tails import lognormal_tail

Vector = NDArray[np.float64]

HOURS_A_YEAR = 8_760
HOURS_A_DAY = 24
SIDES = ("long", "short")
BURN_IN_HOURS = 8_760
LEAST_SIMPLE_RETURN = -0.95
"""No hour loses more than this, so that prices stay positive."""

GRID_POINTS = 31


class Garch(NamedTuple):
    """Variance recursion of hourly simple returns; a Student of `degrees`, scaled to variance 1, drives it."""

    omega: float
    alpha: float
    gamma: float
    beta: float
    degrees: float


class Jump(NamedTuple):
    """Diffusion of hourly `deviation` plus at most one jump an hour; `probability` is the base one, of an hour."""

    deviation: float
    probability: float
    mean_fall: float
    mean_rise: float
    excitation: float
    decay: float


class World(Protocol):
    """What the coverage study asks of a market."""

    @property
    def name(self) -> str:
        """Name in the study's results."""

    @property
    def grid(self) -> Vector:
        """States at which the truth is simulated, ascending and positive."""

    def history(self, hours: int, random: np.random.Generator) -> tuple[Vector, float]:
        """Return hourly log returns, shape (hours,), and the state after the last."""

    def moves(self, states: Vector, horizons: tuple[int, ...], paths: int, random: np.random.Generator) -> Vector:
        """Return simple returns over each horizon from each state, shape (states, horizons, paths)."""

    def exact(self, side: str, horizon_hours: int, measure: str, level: float) -> float | None:
        """Return the measure where a closed form gives it."""


@dataclass(frozen=True, slots=True)
class GarchWorld:
    """The first family; its state is the next hour's variance."""

    name: str
    rule: Garch

    @property
    def grid(self) -> Vector:
        """From the least variance there is to 1e5 times as much; one point where variance stands still."""
        least = self.rule.omega / (1.0 - self.rule.beta)
        moving = self.rule.alpha + self.rule.gamma > 0.0
        return least * np.logspace(0.0, 5.0, GRID_POINTS) if moving else np.array([least])

    def history(self, hours: int, random: np.random.Generator) -> tuple[Vector, float]:
        """See `World`."""
        simple = np.empty(BURN_IN_HOURS + hours)
        mean = self.rule.omega / (1.0 - self.rule.alpha - 0.5 * self.rule.gamma - self.rule.beta)
        state = _garch_returns(self._shocks((simple.size,), random), self.rule, mean, simple)
        log_return: Vector = np.log1p(simple[BURN_IN_HOURS:])
        return log_return, state

    def moves(self, states: Vector, horizons: tuple[int, ...], paths: int, random: np.random.Generator) -> Vector:
        """See `World`."""
        out = np.empty((states.size, len(horizons), paths))
        shocks = self._shocks((max(horizons), paths), random)
        for row, state in enumerate(states):
            _garch_moves(shocks, self.rule, state, np.array(horizons), out[row])
        return out

    def exact(self, side: str, horizon_hours: int, measure: str, level: float) -> float | None:
        """Return None: a product of Student returns has no closed form."""
        return None

    def _shocks(self, shape: tuple[int, ...], random: np.random.Generator) -> Vector:
        degrees = self.rule.degrees
        shocks: Vector = random.standard_t(degrees, shape) * math.sqrt((degrees - 2.0) / degrees)
        return shocks


@dataclass(frozen=True, slots=True)
class JumpWorld:
    """The second family; its state is the next hour's probability of a jump."""

    name: str
    rule: Jump

    @property
    def grid(self) -> Vector:
        """From the base probability up to one half, above which none is taken; one point where it stands still."""
        base = self.rule.probability
        return np.geomspace(base, 0.5, GRID_POINTS) if self.rule.excitation > 0.0 else np.array([max(base, 1e-300)])

    def history(self, hours: int, random: np.random.Generator) -> tuple[Vector, float]:
        """See `World`."""
        total = BURN_IN_HOURS + hours
        log_return = self._diffusion((total,), random)
        size = self._sizes((total,), random)
        state = _jump_returns(random.random(total), size, self.rule, self.rule.probability, log_return)
        return log_return[BURN_IN_HOURS:], state

    def moves(self, states: Vector, horizons: tuple[int, ...], paths: int, random: np.random.Generator) -> Vector:
        """See `World`."""
        shape = (max(horizons), paths)
        diffusion, size, uniform = self._diffusion(shape, random), self._sizes(shape, random), random.random(shape)
        out = np.empty((states.size, len(horizons), paths))
        for row, state in enumerate(states):
            _jump_moves(diffusion, uniform, size, self.rule, state, np.array(horizons), out[row])
        simple: Vector = np.expm1(out)
        return simple

    def exact(self, side: str, horizon_hours: int, measure: str, level: float) -> float | None:
        """Return the lognormal tail when there are no jumps."""
        if self.rule.probability > 0.0:
            return None
        variance = self.rule.deviation**2 * horizon_hours
        tail = lognormal_tail(-0.5 * variance, math.sqrt(variance), 1.0 - level)
        figure: float = getattr(tail, f"{side}_{measure}")
        # a loss is measured from the price today, 1, which a long has paid and a short has received
        return figure + 1.0 if side == "long" else figure - 1.0

    def _diffusion(self, shape: tuple[int, ...], random: np.random.Generator) -> Vector:
        deviation = self.rule.deviation
        log_return: Vector = deviation * random.standard_normal(shape) - 0.5 * deviation * deviation
        return log_return

    def _sizes(self, shape: tuple[int, ...], random: np.random.Generator) -> Vector:
        falls = random.random(shape) < 0.5
        sizes: Vector = random.standard_exponential(shape) * np.where(falls, -self.rule.mean_fall, self.rule.mean_rise)
        return sizes


HOURLY_DEVIATION = 0.7 / math.sqrt(HOURS_A_YEAR)
"""70 % a year, about that of BTC from 2018 to 2024."""


def _garch_world(name: str, alpha: float, gamma: float, persistence: float, degrees: float) -> GarchWorld:
    omega = HOURLY_DEVIATION**2 * (1.0 - persistence)
    return GarchWorld(name, Garch(omega, alpha, gamma, persistence - alpha - 0.5 * gamma, degrees))


WORLDS: tuple[World, ...] = (
    JumpWorld("normal", Jump(HOURLY_DEVIATION, 0.0, 0.0, 0.0, 0.0, 0.0)),
    _garch_world("student_4", 0.0, 0.0, 0.0, 4.0),
    _garch_world("gjr_996", 0.075, 0.005, 0.996, 4.0),
    _garch_world("gjr_999", 0.06, 0.04, 0.999, 4.0),
    JumpWorld("jumps", Jump(0.5 / math.sqrt(HOURS_A_YEAR), 12.0 / HOURS_A_YEAR, 0.05, 0.04, 0.0, 0.0)),
    JumpWorld(
        "jumps_clustered", Jump(0.5 / math.sqrt(HOURS_A_YEAR), 5.0 / HOURS_A_YEAR, 0.05, 0.04, 0.03, 0.5 ** (1 / 12))
    ),
)
"""Easy and hard. Our own fits of GJR-t to hourly closes of BTC and SOL to June 2024 (four and two years) gave alpha
0.076 and 0.080, gamma 0.007 and -0.006, beta 0.921 and 0.922, persistence 1.000 and 0.999, 3.3 and 3.6 degrees; the
two worlds stand at 0.996 and 0.999, since at 1 the variance is infinite, and one has the leverage that others find."""


def stream(world: World, purpose: int, repetition: int) -> np.random.Generator:
    """Return the world's random numbers for a purpose and a repetition, whatever was drawn before."""
    key = int(hashlib.sha256(world.name.encode()).hexdigest()[:32], 16)
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, purpose, repetition]))


@kernel
def _garch_returns(shock: Vector, rule: Garch, variance: float, out: Vector) -> float:
    """Fill simple returns and return the variance of the hour after the last."""
    for t in range(shock.size):
        simple = max(np.sqrt(variance) * shock[t], LEAST_SIMPLE_RETURN)
        reaction = rule.alpha + rule.gamma if simple < 0.0 else rule.alpha
        variance = rule.omega + reaction * simple * simple + rule.beta * variance
        out[t] = simple
    return variance


@kernel
def _garch_moves(shock: Vector, rule: Garch, start: float, horizons: NDArray[np.int64], out: Vector) -> None:
    for s in range(shock.shape[1]):
        variance, price, row = start, 1.0, 0
        for t in range(shock.shape[0]):
            simple = max(np.sqrt(variance) * shock[t, s], LEAST_SIMPLE_RETURN)
            reaction = rule.alpha + rule.gamma if simple < 0.0 else rule.alpha
            variance = rule.omega + reaction * simple * simple + rule.beta * variance
            price *= 1.0 + simple
            if t + 1 == horizons[row]:
                out[row, s] = price - 1.0
                row += 1


@kernel
def _jump_returns(uniform: Vector, size: Vector, rule: Jump, probability: float, log_return: Vector) -> float:
    """Add jumps to the diffusion in place and return the probability of the hour after the last."""
    for t in range(uniform.size):
        jumped = uniform[t] < probability
        probability = rule.probability + rule.decay * (probability - rule.probability)
        if jumped:
            log_return[t] += size[t]
            probability = min(probability + rule.excitation, 0.5)
    return probability


@kernel
def _jump_moves(
    diffusion: Vector, uniform: Vector, size: Vector, rule: Jump, start: float,
    horizons: NDArray[np.int64], out: Vector,
) -> None:  # fmt: skip
    for s in range(diffusion.shape[1]):
        probability, total, row = start, 0.0, 0
        for t in range(diffusion.shape[0]):
            total += diffusion[t, s]
            jumped = uniform[t, s] < probability
            probability = rule.probability + rule.decay * (probability - rule.probability)
            if jumped:
                total += size[t, s]
                probability = min(probability + rule.excitation, 0.5)
            if t + 1 == horizons[row]:
                out[row, s] = total
                row += 1
