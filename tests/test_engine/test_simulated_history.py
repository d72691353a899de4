"""The simulated history: the same for a seed, valid for the engine, and with the features that it promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kurtosis

from engine.errors import InvalidInput
from engine.validation.simulated_history import LABEL, SimulatedHistory, simulate_history

pytestmark = pytest.mark.fast

START_HOUR = 430_000
YEARS_2 = 2 * 8_760


def returns(history: SimulatedHistory, asset: int) -> np.ndarray:
    return np.diff(np.log(history.prices[asset].close_e8))


@pytest.fixture(scope="module")
def history() -> SimulatedHistory:
    return simulate_history(["BTC", "ETH"], START_HOUR, YEARS_2, seed=11)


def test_same_seed_same_bytes_other_seed_other_prices(history):
    again = simulate_history(["BTC", "ETH"], START_HOUR, YEARS_2, seed=11)
    other = simulate_history(["BTC", "ETH"], START_HOUR, YEARS_2, seed=12)
    assert again.prices[1].close_e8.tobytes() == history.prices[1].close_e8.tobytes()
    assert again.volatility[1].level_ppm.tobytes() == history.volatility[1].level_ppm.tobytes()
    assert other.prices[1].close_e8.tobytes() != history.prices[1].close_e8.tobytes()


def test_an_asset_does_not_depend_on_its_company(history):
    alone = simulate_history(["ETH"], START_HOUR, YEARS_2, seed=11)
    assert np.array_equal(alone.prices[0].close_e8, history.prices[1].close_e8)


def test_hours_are_consecutive_and_labelled(history):
    for prices in history.prices:
        assert prices.hour[0] == START_HOUR
        assert np.all(np.diff(prices.hour) == 1)
        assert len(prices.hour) == len(prices.close_e8) == len(prices.volume) == YEARS_2
    assert history.label == LABEL


def test_fat_tails_clustering_and_common_moves(history):
    moves = returns(history, 0)
    size = np.abs(moves)
    assert kurtosis(moves) > 5.0
    assert np.corrcoef(size[:-24], size[24:])[0, 1] > 0.03
    assert np.corrcoef(moves, returns(history, 1))[0, 1] > 0.7


def test_no_leverage_effect(history):
    moves = returns(history, 0)
    assert abs(np.corrcoef(moves[:-1], np.abs(moves[1:]))[0, 1]) < 0.06


def test_busy_hours_move_more(history):
    hour_of_day = history.prices[0].hour[1:] % 24
    size = np.abs(returns(history, 0))
    assert size[hour_of_day == 15].mean() > 1.2 * size[hour_of_day == 3].mean()


def test_volatility_index_is_consistent_with_what_follows(history):
    squares = returns(history, 0) ** 2 * 8_760
    realised = np.sqrt(np.convolve(squares, np.full(720, 1 / 720), "valid"))
    implied = history.volatility[0].level_ppm[: len(realised)] / 1e6
    assert np.corrcoef(implied, realised)[0, 1] > 0.3
    assert 0.8 < np.mean(implied**2) / np.mean(realised**2) < 1.6


@pytest.mark.parametrize(
    ("symbols", "start_hour", "hours", "seed"),
    [(["BTC"], 0, 1, 0), (["BTC"], -1, 10, 0), (["BTC"], 0, 10, -1), ([], 0, 10, 0), (["BTC", "BTC"], 0, 10, 0)],
)
def test_bad_arguments_are_refused(symbols, start_hour, hours, seed):
    with pytest.raises(InvalidInput):
        simulate_history(symbols, start_hour, hours, seed)
