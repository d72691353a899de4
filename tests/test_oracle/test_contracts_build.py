"""The committed artefacts are what the sources compile to."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.chain

ROOT = Path(__file__).resolve().parents[2]


def contracts(command: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run `scripts/contracts` and return its outcome with everything that it printed."""
    return subprocess.run(
        [sys.executable, str(root / "scripts" / "contracts"), command],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
    )


def test_committed_artefacts_are_what_the_sources_compile_to() -> None:
    outcome = contracts("check")
    assert outcome.returncode == 0, outcome.stdout


def test_what_was_changed_is_named_with_what_differs(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    shutil.copytree(ROOT / "contracts_abi", tmp_path / "contracts_abi", ignore=shutil.ignore_patterns("out", "cache"))
    path = tmp_path / "contracts_abi" / "artifacts" / "DemoDollar.json"
    artefact = json.loads(path.read_text())
    artefact["deployedBytecode"] += "00"
    path.write_text(json.dumps(artefact, indent=1, sort_keys=True) + "\n")
    typed = tmp_path / "oracle" / "chain" / "margin_oracle.py"
    typed.parent.mkdir(parents=True)
    typed.write_text((ROOT / "oracle" / "chain" / "margin_oracle.py").read_text().replace("OPENING", "OPEN"))
    outcome = contracts("check", tmp_path)
    assert outcome.returncode == 1
    assert "DemoDollar: differs in deployedBytecode" in outcome.stdout
    assert "margin_oracle: differs in its text" in outcome.stdout
