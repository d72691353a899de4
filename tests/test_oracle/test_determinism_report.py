"""From artefact and snapshot to the report's bytes: equal for one and two threads and for every kind of processor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "report_bytes.py"
TARGETS = ("host", "x86-64-v3", "generic")


def run(cache: Path, target: str, *arguments: str) -> str:
    """Run the script in a fresh process that compiles for the target, with a cache of its own."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache / target), "PYTHONPATH": str(ROOT)}
    environment.pop("NUMBA_CPU_NAME", None)
    if target != "host":
        environment |= {"NUMBA_CPU_NAME": target, "NUMBA_CPU_FEATURES": ""}
    command = [sys.executable, str(SCRIPT), *arguments]
    finished = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr[-2_000:]
    return finished.stdout.strip()


def test_report_bytes_are_equal_over_threads_and_targets(tmp_path: Path) -> None:
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    targets = [target for target in TARGETS if target != "x86-64-v3" or {"avx2", "fma", "bmi2"} <= set(flags)]
    artefact = tmp_path / "calibration.json"
    run(tmp_path, "host", "calibrate", str(artefact))
    digests = {
        (target, threads): run(tmp_path, target, "report", str(artefact), str(threads))
        for target in targets
        for threads in (1, 2)
    }
    assert len(targets) >= 2
    assert len(set(digests.values())) == 1, digests
    assert len(next(iter(digests.values()))) == 64
