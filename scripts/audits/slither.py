"""Static analysis of the contracts: every finding above informational has a written reason in `slither.toml`."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from scripts.audits.environment import program, with_forge
from scripts.toolchain import FORGE_ROOT, Failure, forge

TRIAGE = FORGE_ROOT / "slither.toml"


@dataclass(frozen=True)
class Accepted:
    """Findings of one check at some places, and why they stay."""

    check: str
    where: tuple[str, ...]
    reason: str

    def covers(self, check: str, place: str) -> bool:
        """Return whether a finding of `check` at `place` (contract.function) is meant."""
        return check == self.check and any(fnmatchcase(place, pattern) for pattern in self.where)


def load() -> list[Accepted]:
    """Return the findings that stay."""
    entries = tomllib.loads(TRIAGE.read_text())["accepted"]
    return [Accepted(entry["check"], tuple(entry["where"]), entry["reason"]) for entry in entries]


def run(env: dict[str, str]) -> None:
    """Analyse src/; raise `Failure` on a finding without a reason, or a reason without a finding."""
    slither = program("slither")
    with tempfile.TemporaryDirectory(prefix="slither-") as temporary:
        folder = Path(temporary)
        forge(
            ["build", "src", "--force", "--build-info", "--build-info-path", str(folder / "info")]
            + ["--out", str(folder / "out"), "--cache-path", str(folder / "cache")],
            env | {"FOUNDRY_VIA_IR": "false"},
        )
        report = folder / "report.json"
        command = [slither, ".", "--foundry-ignore-compile", "--no-fail-pedantic", "--json", str(report)]
        command += ["--foundry-build-info-directory", str(folder / "info")]
        command += ["--foundry-out-directory", str(folder / "out")]
        outcome = subprocess.run(
            command,
            cwd=FORGE_ROOT,
            env=with_forge(env),
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if not report.is_file():
            raise Failure(f"slither failed\n{outcome.stdout[-4000:]}")
        findings = json.loads(report.read_text())["results"].get("detectors", [])
    judge(load(), findings)


def judge(accepted: list[Accepted], findings: list[dict[str, str]]) -> None:
    """Print what was found and why it stays; raise `Failure` where one of the two is missing."""
    counts: Counter[Accepted] = Counter()
    wrong = []
    for finding in findings:
        place = re.sub(r"\(.*", "", finding["description"].split()[0])
        entry = next((entry for entry in accepted if entry.covers(finding["check"], place)), None)
        if entry is None:
            wrong.append(f"{finding['impact']} {finding['check']}: {finding['description'].strip()}")
        else:
            counts[entry] += 1
    for entry in accepted:
        print(f"{counts[entry]:>4}  {entry.check:<24} {', '.join(entry.where)}: {entry.reason}")
        if not counts[entry]:
            wrong.append(f"slither.toml lists {entry.check} at {', '.join(entry.where)}, which is found no more")
    print(f"{len(findings)} findings above informational, {sum(counts.values())} with a reason")
    if wrong:
        raise Failure("\n".join(wrong))
