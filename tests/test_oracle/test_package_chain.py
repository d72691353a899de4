"""The npm package holds what a Solidity project needs and no more, and the pages' code compiles against it."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from scripts import toolchain

pytestmark = pytest.mark.chain

ROOT = Path(__file__).resolve().parents[2]
FORGE_ROOT = ROOT / "contracts_abi"
GUIDE = ROOT / "docs" / "integrating.md"
SPDX = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.24;\n\n"
SETTINGS = f"""[profile.default]
libs = ["node_modules"]
remappings = ["solady/=node_modules/solady/src/"]
solc = "{FORGE_ROOT / "tools" / "solc"}"
offline = true
evm_version = "cancun"
optimizer = true
"""
CONSUMER = """import {IMarginOracle} from "margin-oracle-contracts/src/IMarginOracle.sol";
import {MarginOracle} from "margin-oracle-contracts/src/MarginOracle.sol";
import {DemoFeed} from "margin-oracle-contracts/src/demo/DemoFeed.sol";
import {MarginAccounts} from "margin-oracle-contracts/src/examples/MarginAccounts.sol";
import {MinimalOptionsVault} from "margin-oracle-contracts/src/examples/MinimalOptionsVault.sol";
import {MinimalPerpetuals} from "margin-oracle-contracts/src/examples/MinimalPerpetuals.sol";

contract Consumer {
    function purposeOf(bool opens) external pure returns (IMarginOracle.Purpose) {
        return opens ? IMarginOracle.Purpose.Opening : IMarginOracle.Purpose.Liquidating;
    }
}
"""


def scripts_contracts() -> ModuleType:
    """Load `scripts/contracts`, which has no extension."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        loader = SourceFileLoader("scripts_contracts", str(ROOT / "scripts" / "contracts"))
        spec = spec_from_loader(loader.name, loader)
        assert spec is not None
        module = module_from_spec(spec)
        loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(ROOT / "scripts"))


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, packed and unpacked into a project of its own; returns the project."""
    project = tmp_path_factory.mktemp("project")
    archive = scripts_contracts().pack(toolchain.environment(), project)
    modules = project / "node_modules"
    modules.mkdir()
    with tarfile.open(archive) as packed:
        packed.extractall(modules, filter="data")
    (modules / "package").rename(modules / "margin-oracle-contracts")
    for peer in ("@openzeppelin", "solady"):
        (modules / peer).symlink_to((FORGE_ROOT / "node_modules" / peer).resolve())
    (project / "foundry.toml").write_text(SETTINGS)
    return project


def test_the_package_holds_sources_and_artefacts_and_no_tools(package: Path) -> None:
    root = package / "node_modules" / "margin-oracle-contracts"
    packed = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    sources = {path.relative_to(FORGE_ROOT).as_posix() for path in (FORGE_ROOT / "src").rglob("*.sol")}
    artefacts = {path.relative_to(FORGE_ROOT).as_posix() for path in (FORGE_ROOT / "artifacts").glob("*.json")}
    assert packed == sources | artefacts | {"package.json", "README.md"}


def test_a_project_compiles_against_the_package_and_so_do_the_pages(package: Path) -> None:
    pages = {
        f"{page.stem}{place}": block
        for page in (GUIDE, ROOT / "README.md")
        for place, block in enumerate(blocks(page, "solidity"))
        if block.startswith("import ")
    }
    assert {name.rstrip("0123456789") for name in pages} == {"integrating", "README"}
    (package / "src").mkdir()
    for name, block in {"Consumer": CONSUMER, **pages}.items():
        (package / "src" / f"{name}.sol").write_text(SPDX + block)
    outcome = subprocess.run(
        [str(toolchain.forge_binary()), "build", "src"],
        cwd=package,
        env=toolchain.environment(),
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert outcome.returncode == 0, outcome.stdout[-4000:]
    for name in ("MarginOracle", "MinimalPerpetuals", "MinimalOptionsVault", "Consumer", "Venue"):
        assert list(package.glob(f"out/*/{name}.json")), name


def test_excerpts_in_the_guide_are_the_examples_own() -> None:
    excerpts = [block for block in blocks(GUIDE, "solidity") if not block.startswith("import ")]
    assert excerpts
    for excerpt in excerpts:
        heading, _, code = excerpt.partition("\n")
        source = (FORGE_ROOT / "src" / "examples" / heading.removeprefix("// ")).read_text()
        assert " ".join(code.split()) in " ".join(source.split()), heading


def test_the_guide_s_python_is_python() -> None:
    (block,) = blocks(GUIDE, "python")
    scope: dict[str, object] = {}
    exec(compile(block, str(GUIDE), "exec"), scope)
    assert callable(scope["initial_margin_wad"])
