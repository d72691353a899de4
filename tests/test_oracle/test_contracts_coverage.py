"""What `scripts/contracts coverage` counts of a tracefile: the files of src itself, without inline assembly."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def contracts() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("contracts_script", str(ROOT / "scripts" / "contracts"))
    spec = importlib.util.spec_from_loader("contracts_script", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "scripts"))  # as when the script runs
        loader.exec_module(module)
    return module


def test_lines_and_branches_of_files_of_src_are_counted(
    contracts: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "Plain.sol").write_text('a\nassembly ("memory-safe") {\nif b {\n}\nc\n}\nd\n')
    monkeypatch.setattr(contracts, "FORGE_ROOT", tmp_path)
    tracefile = (
        "SF:src/Plain.sol\nDA:1,3\nDA:3,0\nDA:5,0\nDA:7,0\nBRDA:1,0,0,2\nBRDA:1,0,1,-\nBRDA:7,1,0,0\nend_of_record\n"
        "SF:src/demo/Other.sol\nDA:1,0\nend_of_record\nSF:test/Plain.t.sol\nDA:1,0\nend_of_record\n"
    )
    assert contracts.reached_by_file(tracefile) == {"Plain.sol": [1, 2, 1, 3]}


def test_assembly_ends_with_its_block(contracts: ModuleType) -> None:
    source = "x\nassembly { a }\ny\nassembly {\n  for { } b { } { c }\n}\nz\n"
    assert contracts.assembly_lines(source) == {2, 4, 5, 6}


@pytest.mark.parametrize(
    ("hit", "found", "words"), [(18, 19, "18/19  94 %"), (0, 0, "0/0  100 %"), (7, 7, "7/7  100 %")]
)
def test_a_share_is_rounded_down(contracts: ModuleType, hit: int, found: int, words: str) -> None:
    assert contracts.share(hit, found) == words
