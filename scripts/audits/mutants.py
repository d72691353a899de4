"""Break the contracts one rule at a time and see whether the forge tests notice.

`contracts_abi/mutants.toml` lists the mutants. Each is tried twice at most: the broken oracle's bytecode under tests
that are compiled already, without invariants and with few fuzz runs (kills most); then, where those pass, everything
compiled anew with the broken sources, for the tests that call a library directly. Compiled without the intermediate
representation, several times faster.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import subprocess
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.toolchain import FORGE_ROOT, TEST_PROFILE, Failure, forge_binary

LIST = FORGE_ROOT / "mutants.toml"
WORKERS = 2
TIMEOUT_SECONDS = 900
QUICK = {"FOUNDRY_FUZZ_RUNS": "32", "FOUNDRY_NO_MATCH_PATH": "test/invariants/*"}
# Half of the optimizer, in half the time: without any the stack is too deep.
QUICK_OPTIMIZER = """
[profile.default.optimizer_details]
peephole = true
jumpdestRemover = true
orderLiterals = false
deduplicate = false
cse = false
constantOptimizer = false
yul = false
"""
ORACLE = Path("out") / "MarginOracle.sol" / "MarginOracle.json"


@dataclass(frozen=True)
class Mutant:
    """One change of the sources: `find`, which stands once in `file`, becomes `replace` and breaks `rule`.

    `survives` is the written reason why no test can notice, None where one must.
    """

    name: str
    file: str
    find: str
    replace: str
    rule: str
    survives: str | None = None

    def applied(self, text: str) -> str:
        """Return the source with the change; raise `Failure` when the list is older than the source."""
        if (count := text.count(self.find)) != 1:
            raise Failure(
                f"mutant {self.name}: its text stands {count} times in {self.file}; bring mutants.toml up to date"
            )
        return text.replace(self.find, self.replace)


def load() -> tuple[list[Mutant], list[str]]:
    """Return the mutants and the names of tests and folders that are left out."""
    content = tomllib.loads(LIST.read_text())
    return [Mutant(**entry) for entry in content["mutants"]], content["skipped_tests"]


class Workspace:
    """Two copies of the contracts in `folder`: `whole`, whose tests stay compiled, and `broken`, which is changed."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder = folder
        self._env = env | {"FOUNDRY_VIA_IR": "false"}
        self._whole, self._broken = folder / "whole", folder / "broken"

    def prepare(self, skipped_tests: list[str]) -> None:
        """Copy and compile; raise `Failure` where a test fails without any mutant."""
        for name, skipped in {"src": [], "tools": [], "test": skipped_tests}.items():
            shutil.copytree(FORGE_ROOT / name, self._broken / name, ignore=shutil.ignore_patterns(*skipped))
        settings = (FORGE_ROOT / "foundry.toml").read_text()
        (self._broken / "foundry.toml").write_text(settings + QUICK_OPTIMIZER)
        (self._broken / "node_modules").symlink_to((FORGE_ROOT / "node_modules").resolve())
        self._build("the contracts")
        shutil.copytree(self._broken, self._whole, symlinks=True)
        if (failure := self._first_failure(self._whole, QUICK)) is not None:
            raise Failure(f"the tests fail without any mutant: {failure}")

    def copy(self, folder: Path) -> Workspace:
        """Return another workspace that is as far as this one."""
        shutil.copytree(self._folder, folder, symlinks=True)
        return Workspace(folder, self._env)

    def killer(self, mutant: Mutant) -> str | None:
        """Return the name of a test that notices the mutant, None when none does."""
        source = self._broken / "src" / mutant.file
        original = source.read_text()
        source.write_text(mutant.applied(original))
        try:
            self._build(mutant.name)
            shutil.copy(self._broken / ORACLE, self._whole / ORACLE)
            return self._first_failure(self._whole, QUICK) or self._first_failure(self._broken, {})
        finally:
            source.write_text(original)

    def _build(self, what: str) -> None:
        outcome = self._forge(self._broken, ["build", "src"], {})
        if outcome.returncode != 0:
            raise Failure(f"{what} cannot be compiled\n{outcome.stdout}")

    def _first_failure(self, copy: Path, settings: dict[str, str]) -> str | None:
        try:
            outcome = self._forge(copy, ["test", "--fail-fast"], TEST_PROFILE | settings)
        except subprocess.TimeoutExpired:
            return "a test that does not end"
        if outcome.returncode == 0:
            return None
        failure = re.search(r"^\[FAIL.*\] (\w+)", outcome.stdout, re.MULTILINE)
        if failure is None:
            raise Failure(f"forge test failed without a failing test\n{outcome.stdout[-4000:]}")
        return failure[1]

    def _forge(self, copy: Path, arguments: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(forge_binary()), *arguments],
            cwd=copy,
            env=self._env | env,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS,
        )


def run(env: dict[str, str], *names: str) -> None:
    """Try the mutants of these names, all when none is given; raise `Failure` on a survivor without a reason."""
    mutants, skipped_tests = load()
    if unknown := set(names) - {mutant.name for mutant in mutants}:
        raise Failure(f"no such mutant: {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in mutants if not names or mutant.name in names]
    for mutant in chosen:
        mutant.applied((FORGE_ROOT / "src" / mutant.file).read_text())
    workers = min(WORKERS, len(chosen), os.cpu_count() or 1)
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary, ThreadPoolExecutor(workers) as pool:
        first = Workspace(Path(temporary) / "0", env)
        first.prepare(skipped_tests)
        free: queue.Queue[Workspace] = queue.Queue()
        for workspace in [first, *(first.copy(Path(temporary) / str(worker)) for worker in range(1, workers))]:
            free.put(workspace)

        def attempt(mutant: Mutant) -> str | None:
            workspace = free.get()
            try:
                return workspace.killer(mutant)
            finally:
                free.put(workspace)

        killers = []
        for mutant, killer in zip(chosen, pool.map(attempt, chosen), strict=True):
            fate = f"killed by {killer}" if killer else f"survives: {mutant.survives or 'NO TEST NOTICES'}"
            print(f"{mutant.file:<22} {mutant.name:<36} {fate}", flush=True)
            killers.append(killer)
    judge(chosen, killers)


def judge(mutants: list[Mutant], killers: list[str | None]) -> None:
    """Print the count; raise `Failure` on a survivor without a reason, or a reason that does not hold."""
    outcomes = list(zip(mutants, killers, strict=True))
    survivors = [mutant for mutant, killer in outcomes if killer is None]
    print(f"{len(mutants)} mutants: {len(mutants) - len(survivors)} killed, {len(survivors)} survive")
    wrong = [
        f"{mutant.name} survives: write the test of its rule: {mutant.rule}"
        for mutant in survivors
        if not mutant.survives
    ]
    wrong += [
        f"{mutant.name} is killed by {killer}: drop its reason"
        for mutant, killer in outcomes
        if killer and mutant.survives
    ]
    if wrong:
        raise Failure("\n".join(wrong))
