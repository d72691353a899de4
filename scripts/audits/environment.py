"""The environment of the analysers, apart from the project's own: slither and halmos pin what the keeper does not."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from scripts.toolchain import FORGE_ROOT, ROOT, Failure, forge_binary

LOCK = FORGE_ROOT / "requirements-audit.lock"
HOME = ROOT / ".venv-audit"


def program(name: str) -> str:
    """Return the path of an analyser, installed from the lock where it is absent or older than the lock."""
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    mark = HOME / ".installed"
    if not mark.is_file() or mark.read_text() != wanted:
        print(f"installing {LOCK.name} into {HOME.name}", file=sys.stderr)
        _run([sys.executable, "-m", "venv", str(HOME)])
        pip = [str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--require-hashes", "-r", str(LOCK)])
        mark.write_text(wanted)
    return str(HOME / "bin" / name)


def with_forge(env: dict[str, str]) -> dict[str, str]:
    """Return the environment with forge on PATH, where the analysers look for it."""
    return env | {"PATH": f"{forge_binary().parent}:{env['PATH']}"}


def _run(command: list[str]) -> None:
    if subprocess.run(command, check=False).returncode != 0:
        raise Failure(f"{Path(command[0]).name} {' '.join(command[1:4])} failed; see its message above")
