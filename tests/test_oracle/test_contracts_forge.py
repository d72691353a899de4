"""The contracts pass their own tests; a file of its own, so that another process compiles the artefacts meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.chain

ROOT = Path(__file__).resolve().parents[2]


def test_contracts_pass_their_own_tests() -> None:
    outcome = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "contracts"), "test"],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
    )
    assert outcome.returncode == 0, outcome.stdout[-4000:]
