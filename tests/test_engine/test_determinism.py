"""The kernels give the same bytes for one and two threads, compiled for every kind of processor, and on every machine.

The hash of those bytes is written down below, so that a run on another maker's processor compares with this one.

Each target needs its own process, since Numba reads the target once. A target that this processor cannot run is
skipped by name. Without fused multiply-add (generic) the same results come from libm's exact routine, slowly.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import model_cases

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
EXPECTED = "025e9f97abf3a058f3e2db9bfc40c776b6f8855b802c3417e464793b3743242c"
"""Changes only with the formulae or the order of operations, and then every keeper must change with it."""

SCRIPT = """
import hashlib, sys
from types import SimpleNamespace
import numpy as np
from engine.kernels.revalue import FactorPaths, SurfaceResponse, revalue
from engine.kernels.special import exp_array, inverse_normal_cdf_array, log_array, normal_cdf_array
from engine.kernels.tail import expected_shortfall, worst_stress

threads = int(sys.argv[1])
digest = hashlib.sha256()
scenarios, points = 500, 3
# whole numbers and quotients only: no library function may slip into the inputs
uniform = ((np.arange(2 * points * scenarios) * 7919) % 10007 + 0.5) / 10007
normal = inverse_normal_cdf_array(uniform).reshape(2, points, scenarios)
for values in (normal, exp_array(normal * 30), log_array(uniform), normal_cdf_array(normal * 5)):
    digest.update(values.tobytes())
rows = [(kind, u, u, strike, inverse) for u in range(2) for kind in (2, 3, 4) for strike in (70.0, 100.0, 130.0)
        for inverse in (False, True)] + [(1, 0, -1, 0.0, False), (1, 1, -1, 0.0, True)]
kind, underlying, slice_, strike, inverse = (np.array(column) for column in zip(*rows))
instruments = SimpleNamespace(kind=kind, underlying=underlying, slice=slice_, strike=strike.astype(float),
                              multiplier=np.ones(len(rows)), inverse=inverse)
market = SimpleNamespace(spot=np.array([100.0, 101.0]), slice_underlying=np.array([0, 1]),
                         slice_seconds=np.array([20 * 3600, 40 * 86400]), forward=np.array([100.5, 103.0]),
                         vol_nodes=np.array([[0.9, 0.7, 0.65, 0.6, 0.61, 0.66, 0.8]] * 2),
                         discount=np.array([1.0, 0.99]))
response = SurfaceResponse(np.array([-0.2, -0.1]), np.array([1.3, 0.9]), np.array([1.2, 1.0]), 1.25, 1.6)
paths = FactorPaths(np.array([4, 12, 24]), normal * 0.05, np.array([0, 2]), normal[:, :2] * 0.1)
table = revalue(instruments, market, response, paths, threads)
accounts = 3000
indptr = (np.arange(accounts + 1) * 11) // 2
instrument = (np.arange(indptr[-1]) * 31) % len(rows)
quantity = ((np.arange(indptr[-1]) * 7919) % 101 - 50) / 8
book = indptr, instrument, quantity
weights = ((np.arange(scenarios) * 37) % 11 + 1) / 11
digest.update(table.tiles.tobytes() + table.largest.tobytes() + table.value.tobytes())
for given in (None, weights):
    tail = expected_shortfall(table, *book, 0.0137, given, threads)
    digest.update(tail.expected_shortfall.tobytes() + tail.value_at_risk.tobytes() + tail.worst.tobytes())
stress = worst_stress(table, *book, weights, threads)
digest.update(stress.loss.tobytes() + stress.scenario.tobytes())
assert tail.finite.all()
print(digest.hexdigest())
"""

MONTE_CARLO = """
import hashlib, sys
from pathlib import Path
import numpy as np
from engine import Calibration, RecentPrices
from engine.scenarios.montecarlo import monte_carlo_sets

calibration = Calibration.from_json(Path(sys.argv[1]).read_text())
recent = [RecentPrices(symbol, np.array([], np.int64), np.array([], np.int64)) for symbol in calibration.symbols]
shapes = np.outer(np.arange(7), np.arange(len(recent))) / 64
sets = [one for hours, excursion in ((24, False), (4, True))
        for one in monte_carlo_sets(calibration, recent, hours, excursion, 2**100 + 1, 512, shapes)]
print(hashlib.sha256("".join(one.content_hash for one in sets).encode()).hexdigest())
"""


def runnable(target: str) -> bool:
    """Whether this processor has what the target compiles to."""
    if target != "x86-64-v3":
        return True
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and {"avx2", "fma", "bmi2"} <= set(cpuinfo.read_text().split())


def digest(target: str, argument: object, cache: Path, script: str = SCRIPT) -> str:
    """Hash of everything the script computes, in a fresh process compiled for the target."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache / target), "PYTHONPATH": str(ROOT)}
    if target != "host":
        environment |= {"NUMBA_CPU_NAME": target, "NUMBA_CPU_FEATURES": ""}
    command = [sys.executable, "-c", script, str(argument)]
    return subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder for compiled kernels, so that the second run of a target need not compile again."""
    return tmp_path_factory.mktemp("kernels")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("target", ["host", "x86-64-v3", "generic"])
def test_bytes_are_equal(cache, target, threads):
    if not runnable(target):
        pytest.skip(f"this processor cannot run code for {target}")
    assert digest(target, threads, cache) == EXPECTED


def test_bytes_of_monte_carlo_sets_are_equal(cache, tmp_path):
    artefact = tmp_path / "artefact.json"
    artefact.write_text(model_cases.small_calibration().to_json())
    targets = [target for target in ("host", "x86-64-v3", "generic") if runnable(target)]
    digests = {target: digest(target, artefact, cache, MONTE_CARLO) for target in targets}
    assert len(set(digests.values())) == 1 and len(digests) >= 2, digests
