"""Symbolic proofs of `contracts_abi/symbolic`: what holds for all inputs, not for those that a test tried."""

from __future__ import annotations

import subprocess

from scripts.audits.environment import program, with_forge
from scripts.toolchain import FORGE_ROOT, TEST_PROFILE, Failure

# Enough for the loops over six values and three signers.
LOOP_BOUND = "8"
SOLVER_TIMEOUT = "10m"
# Those that end within minutes; of the others `docs/audit.md` says how far they came.
QUICK = ("HeadProofs", "WordsProofs", "SignersProofs", "DwellProofs")
OUT = "out/symbolic"
BUILD = {
    "FOUNDRY_TEST": "symbolic",
    "FOUNDRY_OUT": OUT,
    "FOUNDRY_CACHE_PATH": "cache/symbolic",
    # Of one file alone; see `symbolic/PlainMath.sol`.
    "FOUNDRY_REMAPPINGS": "src/MarginBounds.sol:@openzeppelin/contracts/utils/math/Math.sol=symbolic/PlainMath.sol",
}


def run(env: dict[str, str], *contracts: str) -> None:
    """Prove the properties of these contracts (none: all quick ones); raise `Failure` on one that is not proven."""
    command = [program("halmos"), "--forge-build-out", OUT, "--loop", LOOP_BOUND, "--no-status"]
    command += ["--solver-timeout-assertion", SOLVER_TIMEOUT]
    command += ["--match-contract", f"^({'|'.join(contracts or QUICK)})$"]
    settings = with_forge(env) | TEST_PROFILE | BUILD
    if subprocess.run(command, cwd=FORGE_ROOT, env=settings, check=False).returncode != 0:
        raise Failure("a property is not proven, see above: refuted (counterexample) or out of time")
