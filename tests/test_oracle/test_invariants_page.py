"""The pages on invariants, trust and incidents name tests of the contract that exist, and leave no invariant out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "contracts_abi" / "test"
TEST_NAME = r"(?:test|testFuzz|invariant)_[a-z0-9_]+"
INCIDENTS = range(1, 13)


def page(name: str) -> str:
    """Return the text of a page of the documentation."""
    return (ROOT / "docs" / name).read_text()


def functions(folder: Path, pattern: str) -> list[str]:
    """Return the names of the functions of the forge tests in `folder` that match, as often as they occur."""
    sources = [path.read_text() for path in sorted(folder.rglob("*.t.sol"))]
    return [name for source in sources for name in re.findall(rf"function ({pattern})\(", source)]


def test_each_line_on_invariants_is_a_test_and_each_test_a_line() -> None:
    lines = re.findall(r"^- `([a-z0-9_]+)`: .+\.$", page("invariants.md"), re.MULTILINE)
    tests = functions(TESTS / "invariants", r"invariant_[a-z0-9_]+")
    assert sorted(f"invariant_{line}" for line in lines) == sorted(tests)


def test_every_bullet_on_invariants_is_a_line() -> None:
    text = page("invariants.md")
    assert len(re.findall(r"^- ", text, re.MULTILINE)) == len(re.findall(r"^- `[a-z0-9_]+`: .+\.$", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["invariants.md", "trust.md", "incidents.md"])
def test_a_page_names_tests_that_exist(name: str) -> None:
    named = set(re.findall(rf"`({TEST_NAME})`", page(name)))
    assert named
    assert named - set(functions(TESTS, TEST_NAME)) == set()


def test_every_claim_of_trust_is_shown_by_a_test() -> None:
    rows = [line for line in page("trust.md").splitlines() if re.match(r"\| (?!who|---)", line)]
    bullets = re.findall(r"^- \*\*(?:(?!^- |^#)[\s\S])+", page("trust.md"), re.MULTILINE)
    assert len(rows) > 10
    assert len(bullets) > 5
    for claim in rows + bullets:
        assert re.search(rf"`{TEST_NAME}`", claim), claim


def test_every_incident_is_a_row_and_a_test() -> None:
    text = page("incidents.md")
    tests = re.findall(r"function (test_incident_[a-z0-9_]+)\(", (TESTS / "Incidents.t.sol").read_text())
    for number in INCIDENTS:
        row = re.search(rf"^\| I{number} \|.+$", text, re.MULTILINE)
        assert row is not None, f"I{number} has no row"
        assert f"`test_incident_i{number}_" in row[0], f"the row of I{number} names no test"
    assert set(tests) - set(re.findall(r"`(test_incident_[a-z0-9_]+)`", text)) == set()
