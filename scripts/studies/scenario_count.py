"""How many scenarios give the 99 % expected shortfall of a short strangle to 1 %: plain, Sobol, Sobol inflated.

The worlds are stated below and drawn by the engine itself: returns of 3.5 % and volatility moves of 8 % a day,
Student's t of 4 degrees joined by a t copula of 5 (the goals are held against these heavy tails), or of 8 and 12; jumps
as fitted to hourly BTC and ETH (four years to June 2024), and a normal skew. A book is short a strangle of 14 days, one
deviation out, on each underlying, over 24 hours. For each method and N the estimate is repeated on independent points;
its root mean square error against a reference of millions of scenarios falls as a power of N, and the fitted power says
where it is 1 %.

    python -m scripts.studies.scenario_count [--output docs/studies/scenario_count.json]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from engine.dynamics.copula import correlation_cases, market_signs, mixing_table, root
from engine.dynamics.joint import NANO, HorizonDynamics, Jumps
from engine.dynamics.tails import knot_scores
from engine.kernels.black76 import price
from engine.kernels.special import exp_array, log_array
from engine.scenarios.montecarlo import INFLATION, Step, joint_moves
from engine.scenarios.sobol import scrambled_points
from engine.scenarios.variates import Inflation, dimensions, variates

LEVEL = 0.99
HOURS, DAYS_A_YEAR, OPTION_DAYS = 24, 365.0, 14.0
VOLATILITY, SKEW_DEVIATION = 0.6, 0.05
RETURN_DEVIATION, LEVEL_DEVIATION = 0.035, 0.08
TENOR_FACTOR = 1.5
"""(30 / 14)^0.54: what a move of thirty-day volatility does to fourteen days."""
WORLDS = {"heavy": (5, 4), "light": (12, 8)}
"""Degrees of the copula and of the marginals."""
RETURN_CORRELATION, LEVEL_CORRELATION, CROSS_CORRELATION = 0.6, 0.7, -0.4
JUMPS = Jumps(8.0, 14, 35_040, 6.2e-4, 0.3125, 0.045, 0.023, 0.0275, (1.0,), (1.0,))
SEED = 7
COUNTS = (512, 1_024, 2_048, 4_096, 8_192)
PLAIN_COUNTS = (4_096, 16_384, 65_536)
REPEATS = 96
REFERENCE_POINTS, REFERENCE_SCRAMBLES = 2**17, 24
TARGET = 0.01
GOALS = {1: 100.0, 5: 10.0}


@dataclass(frozen=True)
class World:
    """The dynamics of one to five underlyings."""

    assets: int
    horizon: HorizonDynamics
    jumps: Jumps

    def losses(
        self, uniform: NDArray[np.float64], inflation: Inflation
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Loss of the book in each scenario as a share of spot, and the scenarios' probabilities."""
        draws = variates(uniform, self.horizon, self.jumps, inflation)
        step = Step(self.horizon, self.jumps, np.full(self.assets, RETURN_DEVIATION), excursion=False)
        log_return, shock = joint_moves(step, 0, draws)
        skew = SKEW_DEVIATION * draws.shape[1]
        loss = sum(strangle_loss(log_return[u], shock[u], skew) for u in range(self.assets))
        return np.asarray(loss), draws.probability


def world(assets: int, copula_degrees: int, marginal_degrees: int) -> World:
    """Return the world of so many alike underlyings."""
    same = np.eye(assets)
    returns = RETURN_CORRELATION + (1.0 - RETURN_CORRELATION) * same
    levels = LEVEL_CORRELATION + (1.0 - LEVEL_CORRELATION) * same
    cross = np.full((assets, assets), CROSS_CORRELATION)
    correlation = np.block([[returns, cross], [cross, levels]])
    unit = knot_scores(marginal_degrees) / np.sqrt(marginal_degrees / (marginal_degrees - 2.0))
    end = np.repeat([unit, LEVEL_DEVIATION * unit], assets, axis=0)
    sign = market_signs(correlation, assets)
    horizon = HorizonDynamics(
        hours=HOURS,
        degrees=copula_degrees,
        log_likelihood=(),
        shrinkage=0.0,
        clipped_eigenvalues=0,
        sample_count=0,
        sign=tuple(int(one) for one in sign),
        tails=(),
        score_nano=in_nano(knot_scores(copula_degrees)),
        end_nano=in_nano(end),
        excursion_nano=in_nano(end),
        mixing_nano=in_nano(mixing_table(copula_degrees)),
        root_nano=in_nano(np.stack([root(case, assets) for case in correlation_cases(correlation, sign)])),
    )
    return World(assets, horizon, replace(JUMPS, loading=(1.0,) * assets, volatility_co_jump=(1.0,) * assets))


def in_nano(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the values in whole billionths."""
    return np.rint(values * NANO).astype(np.int64)


def strangle_loss(
    log_return: NDArray[np.float64], shock: NDArray[np.float64], skew: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Loss of the short strangle when spot, volatility and skew have moved and a day has passed."""
    years = OPTION_DAYS / DAYS_A_YEAR
    deviation = float(VOLATILITY * np.sqrt(years))
    left = years - HOURS / 24.0 / DAYS_A_YEAR
    forward, loss = exp_array(log_return), np.zeros(log_return.size)
    for is_call, log_strike in ((True, deviation), (False, -deviation)):
        moneyness = (log_strike - log_return) / deviation
        volatility = VOLATILITY * exp_array(TENOR_FACTOR * shock + skew * np.clip(moneyness, -3.0, 3.0))
        strike, before, after = float(exp_array(log_strike)), np.empty(1), np.empty(log_return.size)
        exact = float(log_array(strike))
        price(is_call, strike, exact, np.ones(1), np.zeros(1), np.array([deviation * deviation]), 1.0, before)
        price(is_call, strike, exact, forward, log_return, volatility * volatility * left, 1.0, after)
        loss += after - before[0]
    return loss


def weighted_shortfall(loss: NDArray[np.float64], probability: NDArray[np.float64]) -> float:
    """Mean of the worst 1 % of the probability, the boundary counted in part."""
    order = np.argsort(-loss, kind="stable")
    share = probability[order]
    mass = (1.0 - LEVEL) * float(share.sum())
    taken = np.clip(mass - (np.cumsum(share) - share), 0.0, share)
    return float(np.sum(loss[order] * taken) / mass)


def estimate(model: World, method: str, count: int, repeat: int) -> float:
    """One estimate of the expected shortfall from `count` scenarios."""
    if method == "plain":
        uniform = np.random.Generator(np.random.Philox(key=[SEED, repeat])).random((dimensions(model.assets), count))
    else:
        uniform = scrambled_points(SEED, repeat, dimensions(model.assets), count)
    return weighted_shortfall(*model.losses(uniform, INFLATION if method == "inflated" else Inflation()))


def reference(model: World) -> tuple[float, float]:
    """Expected shortfall of many inflated Sobol points of another seed, and its relative standard error."""
    values = np.array(
        [
            weighted_shortfall(
                *model.losses(scrambled_points(SEED + 1, k, dimensions(model.assets), REFERENCE_POINTS), INFLATION)
            )
            for k in range(REFERENCE_SCRAMBLES)
        ]
    )
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size) / values.mean())


def scenarios_needed(counts: tuple[int, ...], errors: list[float]) -> tuple[float, float]:
    """Scenarios at which the fitted power law of the error meets the target, and its exponent."""
    slope, level = np.polyfit(np.log(counts), np.log(errors), 1)
    return float(np.exp((np.log(TARGET) - level) / slope)), float(slope)


def study(tails: str, assets: int) -> dict[str, object]:
    """All three methods on one world."""
    model = world(assets, *WORLDS[tails])
    truth, truth_error = reference(model)
    methods: dict[str, dict[str, object]] = {}
    for method in ("plain", "Sobol", "inflated"):
        counts = PLAIN_COUNTS if method == "plain" else COUNTS
        errors = []
        for count in counts:
            values = np.array([estimate(model, method, count, repeat) for repeat in range(REPEATS)])
            errors.append(float(np.sqrt(np.mean((values / truth - 1.0) ** 2))))
        needed, slope = scenarios_needed(counts, errors)
        methods[method] = {
            "counts": list(counts),
            "relative_error": [round(error, 6) for error in errors],
            "exponent": round(slope, 3),
            "scenarios_for_1_percent": round(needed),
        }
    plain, inflated = (float(str(methods[name]["scenarios_for_1_percent"])) for name in ("plain", "inflated"))
    return {
        "tails": tails,
        "underlyings": assets,
        "dimensions": dimensions(assets),
        "degrees": model.horizon.degrees,
        "expected_shortfall": round(truth, 6),
        "reference_relative_error": round(truth_error, 6),
        "methods": methods,
        "gain": round(plain / inflated, 1),
        "goal": GOALS[assets],
    }


def main() -> None:
    """Run, print the table, write the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/studies/scenario_count.json"))
    output: Path = parser.parse_args().output
    studies = [study(tails, assets) for tails in WORLDS for assets in GOALS]
    table = Table("tails", "underlyings", "method", "relative error at N", "exponent", "N for 1 %")
    for one in studies:
        for name, result in one["methods"].items():  # type: ignore[attr-defined]
            at = zip(result["counts"], result["relative_error"], strict=True)
            line = "  ".join(f"{count}: {100 * error:.2f} %" for count, error in at)
            table.add_row(
                str(one["tails"]),
                str(one["underlyings"]),
                name,
                line,
                f"{result['exponent']:.2f}",
                f"{result['scenarios_for_1_percent']:,}",
            )
    Console(width=140).print(table)
    for one in studies:
        print(
            f"{one['tails']} tails, {one['underlyings']} underlyings: {one['gain']} times fewer, goal {one['goal']:.0f}"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"inflation": INFLATION._asdict(), "studies": studies}, indent=1) + "\n")


if __name__ == "__main__":
    main()
