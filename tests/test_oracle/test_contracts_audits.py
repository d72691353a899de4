"""The lists of the contract's audits are as new as its sources; the audits themselves are `scripts/contracts`."""

from __future__ import annotations

from collections import Counter

import pytest

from scripts.audits import mutants, slither
from scripts.toolchain import FORGE_ROOT, Failure

pytestmark = pytest.mark.fast

CORE = {
    "BlockHashes.sol",
    "HeadWords.sol",
    "MarginBounds.sol",
    "MarginDwell.sol",
    "MarginGovernance.sol",
    "MarginOracle.sol",
    "MarginStore.sol",
    "MarginWords.sol",
    "ReportCodec.sol",
    "SequencerUptime.sol",
    "SignerSets.sol",
}


def mutant(**changes: str) -> mutants.Mutant:
    """Return a mutant of nothing in particular."""
    fields = {"name": "m", "file": "F.sol", "find": "a < b", "replace": "a <= b", "rule": "b itself is refused."}
    return mutants.Mutant(**(fields | changes))


def finding(check: str, description: str) -> dict[str, str]:
    return {"check": check, "impact": "Low", "description": description}


def test_every_mutant_applies_to_the_sources() -> None:
    listed, _ = mutants.load()
    for one in listed:
        text = (FORGE_ROOT / "src" / one.file).read_text()
        assert one.applied(text) != text, one.name


def test_mutants_have_names_of_their_own_and_reach_every_core_file() -> None:
    listed, _ = mutants.load()
    assert [name for name, count in Counter(one.name for one in listed).items() if count > 1] == []
    assert {one.file for one in listed} == CORE


@pytest.mark.parametrize("text", ["a > b", "a < b; a < b"])
def test_a_mutant_that_the_source_has_outgrown_is_named(text: str) -> None:
    with pytest.raises(Failure, match="mutant m: its text stands [02] times in F.sol"):
        mutant().applied(text)


def test_a_survivor_needs_a_reason_and_a_reason_a_survivor() -> None:
    reasoned = mutant(name="equal", survives="Nothing can tell.")
    mutants.judge([mutant(), reasoned], ["test_b_is_refused", None])
    with pytest.raises(Failure, match="m survives"):
        mutants.judge([mutant()], [None])
    with pytest.raises(Failure, match="equal is killed by test_b_is_refused"):
        mutants.judge([reasoned], ["test_b_is_refused"])


def test_a_finding_needs_a_reason_and_a_reason_a_finding() -> None:
    accepted = [slither.Accepted("timestamp", ("Store.*",), "Minutes, not seconds.")]
    known = finding("timestamp", "Store.read(uint32) (src/Store.sol#1-2) uses timestamp for comparisons")
    slither.judge(accepted, [known])
    for strange in (
        finding("timestamp", "Other.read(uint32) (src/Other.sol#1-2) uses timestamp for comparisons"),
        finding("reentrancy", "Store.read(uint32) (src/Store.sol#1-2) calls"),
    ):
        with pytest.raises(Failure, match=strange["check"]):
            slither.judge(accepted, [known, strange])
    with pytest.raises(Failure, match="found no more"):
        slither.judge(accepted, [])
