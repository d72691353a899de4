"""The command behind scripts/truth: a folder of published figures in, a table and an exit status out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from engine.validation.truth import KINDS, Outcome, Status, evaluate_document

ALL_GOOD, SOMETHING_FAILED, NOTHING_TO_READ = 0, 1, 2

_COLUMNS = ((Status.PASSED, 8), (Status.FAILED, 8), (Status.NOT_COVERED, 13))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line a file and the failing cases; return the exit status."""
    options = _parse(arguments)
    files = sorted(options.directory.glob("*.json"))
    if not files:
        print(f"scripts/truth: no JSON files in {options.directory}; give the folder that holds them", file=sys.stderr)
        return NOTHING_TO_READ
    print(f"{'file':<32}" + "".join(f"{_words(status):>{width}}" for status, width in _COLUMNS))
    summary = {}
    for path in files:
        outcomes = _read(path)
        found = [one.status for one in outcomes]
        summary[path.name] = {status.value: found.count(status) for status in Status}
        print(f"{path.stem:<32}" + "".join(f"{found.count(status):>{width}}" for status, width in _COLUMNS))
        explained = {Status.FAILED, Status.NOT_COVERED} if options.verbose and path.stem in KINDS else {Status.FAILED}
        for one in outcomes:
            if one.status in explained:
                print(f"    {_words(one.status)} {one.name}: {one.detail}")
    if options.json:
        print(json.dumps(summary))
    return SOMETHING_FAILED if any(counts["failed"] for counts in summary.values()) else ALL_GOOD


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/truth", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument("--verbose", action="store_true", help="say why cases of known kinds are not covered")
    return parser.parse_args(arguments)


def _read(path: Path) -> list[Outcome]:
    """Return the outcomes of a file; one that is not JSON counts as one failed case."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError) as error:
        return [Outcome("(the file)", Status.FAILED, f"cannot be read: {error}")]
    return evaluate_document(path.stem, document)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _words(status: Status) -> str:
    return status.value.replace("_", " ")


if __name__ == "__main__":
    sys.exit(main())
