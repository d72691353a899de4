"""Simulated markets: their recursions against plain loops, their truth against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.risk import tail_measure
from engine.validation import true_tails, worlds
from engine.validation.closed_forms.tails import student_tail
from engine.validation.true_tails import Truth
from engine.validation.worlds import SIDES, WORLDS, GarchWorld, Jump, JumpWorld, stream
from tests import naive_worlds

pytestmark = pytest.mark.fast

BY_NAME = {world.name: world for world in WORLDS}
GARCH = [world for world in WORLDS if isinstance(world, GarchWorld)]
JUMPS = [world for world in WORLDS if isinstance(world, JumpWorld)]
BUSY = JumpWorld("busy", Jump(0.005, 0.05, 0.05, 0.04, 0.2, 0.9))


@pytest.mark.parametrize("world", GARCH, ids=lambda world: world.name)
def test_garch_is_its_plain_loop(world):
    log_return, state = world.history(300, stream(world, 1, 2))
    degrees = world.rule.degrees
    scale = math.sqrt((degrees - 2.0) / degrees)
    shocks = scale * stream(world, 1, 2).standard_t(degrees, worlds.BURN_IN_HOURS + 300)
    mean = world.rule.omega / (1.0 - world.rule.alpha - 0.5 * world.rule.gamma - world.rule.beta)
    simple, last = naive_worlds.garch(shocks, world.rule, mean)
    assert np.expm1(log_return) == pytest.approx(np.array(simple[-300:]), rel=1e-10, abs=1e-14)
    assert state == pytest.approx(last, rel=1e-12)
    moves = world.moves(np.array([mean, 9.0 * mean]), (4, 24), 20, stream(world, 1, 3))
    shocks = scale * stream(world, 1, 3).standard_t(degrees, (24, 20))
    for row, start in enumerate((mean, 9.0 * mean)):
        for s in range(20):
            price = np.cumprod(1.0 + np.array(naive_worlds.garch(shocks[:, s], world.rule, start)[0]))
            assert moves[row, :, s] == pytest.approx(price[[3, 23]] - 1.0, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("world", [*JUMPS, BUSY], ids=lambda world: world.name)
def test_jumps_are_their_plain_loop(world):
    def drawn(shape, purpose):
        random, rule = stream(world, purpose, 2), world.rule
        diffusion = rule.deviation * random.standard_normal(shape) - 0.5 * rule.deviation**2
        falls = random.random(shape) < 0.5
        sizes = random.standard_exponential(shape) * np.where(falls, -rule.mean_fall, rule.mean_rise)
        return diffusion, random.random(shape), sizes

    log_return, state = world.history(500, stream(world, 1, 2))
    expected, last = naive_worlds.jumps(*drawn((worlds.BURN_IN_HOURS + 500,), 1), world.rule, world.rule.probability)
    assert log_return == pytest.approx(np.array(expected[-500:]), rel=1e-12, abs=1e-15)
    assert state == pytest.approx(last, rel=1e-12)
    moves = world.moves(np.array([0.3]), (4, 24), 20, stream(world, 4, 2))
    diffusion, uniforms, sizes = drawn((24, 20), 4)
    for s in range(20):
        path = np.cumsum(naive_worlds.jumps(diffusion[:, s], uniforms[:, s], sizes[:, s], world.rule, 0.3)[0])
        assert moves[0, :, s] == pytest.approx(np.expm1(path[[3, 23]]), rel=1e-10, abs=1e-12)


def test_a_history_depends_on_its_repetition_alone():
    world = BY_NAME["gjr_999"]
    again, other = (world.history(50, stream(world, 0, repetition))[0] for repetition in (3, 4))
    assert np.array_equal(world.history(50, stream(world, 0, 3))[0], again) and not np.array_equal(again, other)
    assert not np.array_equal(world.history(50, stream(world, 1, 3))[0], again)


@pytest.mark.parametrize("measure", ["expected_shortfall", "value_at_risk"])
def test_simulated_truth_meets_the_closed_forms(measure, monkeypatch):
    monkeypatch.setattr(true_tails, "TRUTH_BATCH_PATHS", 40_000)
    normal, student = BY_NAME["normal"], BY_NAME["student_4"]
    truth, hour = Truth(normal, (4, 24), measure, 0.99), Truth(student, (1,), measure, 0.99)
    for side in SIDES:
        for hours in (4, 24):
            (figure, none), (simulated, error) = truth.of(1.0, hours, side), truth.simulated(1.0, hours, side)
            assert none == 0.0 and abs(simulated / figure - 1.0) < 5.0 * error < 0.06
    scale = math.sqrt(student.rule.omega * 0.5)
    for side in SIDES:
        simulated, error = hour.of(student.rule.omega, 1, side)
        figure = getattr(student_tail(0.99, 4.0), measure) * scale
        assert abs(simulated / figure - 1.0) < 5.0 * error < 0.06


@pytest.mark.parametrize("name", ["gjr_996", "jumps_clustered"])
def test_truth_between_the_grid_s_states_is_what_a_simulation_from_there_gives(name, monkeypatch):
    monkeypatch.setattr(true_tails, "TRUTH_BATCH_PATHS", 4_000)
    world, measure = BY_NAME[name], "value_at_risk"
    truth = Truth(world, (24,), measure, 0.99)
    state = float(np.sqrt(world.grid[8] * world.grid[9]))
    # the same random numbers, so that nothing differs but the interpolation
    streams = [stream(world, true_tails.TRUTH_STREAM, batch) for batch in range(true_tails.TRUTH_BATCHES)]
    moves = [world.moves(np.array([state]), (24,), 4_000, random)[0, 0] for random in streams]
    for side, sign in (("long", -1.0), ("short", 1.0)):
        figure = np.mean([tail_measure(sign * move, measure, 0.99) for move in moves])
        assert truth.of(state, 24, side)[0] == pytest.approx(figure, rel=0.01)
        assert truth.of(8.0 * state, 24, side)[0] > 1.1 * figure
