"""The command behind scripts/truth: a folder of published figures in, a table and an exit status out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from engine.validation.truth import KINDS, Outcome, Status, evaluate_document

ALL_GOOD, SOMETHING_FAILED, NOTHING_TO_READ = 0, 1, 2

NEEDED = "largest error of its tolerance"
_COLUMNS = ((Status.PASSED, 8), (Status.FAILED, 8), (Status.NOT_COVERED, 13))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that holds no JSON, and why."""

    reason: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line a file and the failing cases; return the exit status."""
    options = _parse(arguments)
    files = sorted(options.directory.glob("*.json"))
    if not files:
        print(f"scripts/truth: no JSON files in {options.directory}; give the folder that holds them", file=sys.stderr)
        return NOTHING_TO_READ
    print(f"{'file':<32}" + "".join(f"{_words(status):>{width}}" for status, width in _COLUMNS) + f"  {NEEDED}")
    documents = {path.stem: _read(path) for path in files}
    readable = {kind: document for kind, document in documents.items() if not isinstance(document, Unreadable)}
    summary = {}
    for path in files:
        document = documents[path.stem]
        if isinstance(document, Unreadable):
            outcomes = [Outcome("(the file)", Status.FAILED, f"cannot be read: {document.reason}")]
        else:
            outcomes = evaluate_document(path.stem, document, readable)
        found = [one.status for one in outcomes]
        summary[path.name] = {status.value: found.count(status) for status in Status}
        _print_file(path.stem, outcomes, options.verbose)
    if options.json:
        print(json.dumps(summary))
    return SOMETHING_FAILED if any(counts["failed"] for counts in summary.values()) else ALL_GOOD


def _print_file(kind: str, outcomes: Sequence[Outcome], verbose: bool) -> None:
    found = [one.status for one in outcomes]
    compared = [one.closest for one in outcomes if one.closest is not None]
    needed = str(max(compared, key=lambda one: one.share)) if compared else "-"
    print(f"{kind:<32}" + "".join(f"{found.count(status):>{width}}" for status, width in _COLUMNS) + f"  {needed}")
    for one in outcomes:
        if one.detail and (one.status is Status.FAILED or (verbose and kind in KINDS)):
            print(f"    {_words(one.status)} {one.name}: {one.detail}")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/truth", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument(
        "--verbose", action="store_true", help="say why cases of known kinds are not covered, and what is not compared"
    )
    return parser.parse_args(arguments)


def _read(path: Path) -> object:
    """Return the parsed document, or why there is none."""
    try:
        text = path.read_text(encoding="utf-8")
        document: object = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except (OSError, ValueError, RecursionError) as error:
        return Unreadable(str(error))
    return document


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Refuse a name that is stated twice: a plain reader drops the first, and the case then says something else."""
    named = dict(pairs)
    if len(named) < len(pairs):
        twice = next(name for place, (name, _) in enumerate(pairs) if name in {other for other, _ in pairs[:place]})
        raise ValueError(f"{twice!r} is stated twice in one object")
    return named


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _words(status: Status) -> str:
    return status.value.replace("_", " ")


if __name__ == "__main__":
    sys.exit(main())
