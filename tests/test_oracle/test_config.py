"""The configuration: what is written can be read back, and every mistake is refused by name."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oracle.cli import app
from oracle.config import ChainSettings, ModelSettings, Settings, load_settings, write_settings
from oracle.errors import BadConfiguration, StorageFailure
from oracle.valuation.artefact import engine_configuration

pytestmark = pytest.mark.fast


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "oracle.toml"


def test_written_configuration_reads_back_equal(path: Path) -> None:
    settings = Settings(chain=ChainSettings(chain_id=10, rpc_urls=("http://a", 'http://b"\\')))
    write_settings(path, settings)
    assert load_settings(path).model_dump() == settings.model_dump()


def test_every_key_has_a_comment(path: Path) -> None:
    write_settings(path, Settings())
    lines = path.read_text().splitlines()
    for before, line in zip(lines, lines[1:], strict=False):
        if " = " in line and not line.startswith("#"):
            assert before.startswith("# "), line


def test_an_existing_file_is_not_overwritten(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(BadConfiguration, match="exists"):
        write_settings(path, Settings())
    assert path.read_text() == "mine"


def test_an_unwritable_place_is_a_storage_failure(tmp_path: Path) -> None:
    with pytest.raises(StorageFailure, match="cannot write"):
        write_settings(tmp_path / "missing" / "oracle.toml", Settings())


def test_a_full_disk_leaves_no_part_of_a_configuration(path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with pytest.raises(StorageFailure, match="cannot write"):
            write_settings(path, Settings())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[chain]\nchain_idd = 1\n", "chain.chain_idd"),
        ("[unknown]\n", "unknown"),
        ("directory = '/'\n", "directory"),
        ("[chain]\nchain_id = 0\n", "chain.chain_id"),
        ("[model]\nes_level_ppm = 1000001\n", "model.es_level_ppm"),
        ("[model]\nmaintenance_horizon_hours = 48\n", "maintenance_horizon_hours"),
        ('[signing]\nkeystores = ["k"]\ngas_keystore = "k"\n', "gas_keystore"),
        ('[contracts]\noracle = "0x12"\n', "contracts.oracle"),
        ('[contracts]\noracle = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD0"\n', "contracts.oracle"),
        ('[contracts]\noracle = "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"\n', "checksum"),
        ("[calibration]\ninterval_hours = 24\n", "calibration.history"),
        ("[chain\n", "oracle.toml"),
    ],
)
def test_a_mistake_is_named(path: Path, text: str, named: str) -> None:
    path.write_text(text)
    with pytest.raises(BadConfiguration, match=named):
        load_settings(path)


def test_bytes_that_are_no_text_are_said_so(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadConfiguration, match="not UTF-8"):
        load_settings(path)


@pytest.mark.parametrize(
    "values", [{"es_level_ppm": 0}, {"bound_confidence_ppm": 1_000_000}, {"initial_horizon_hours": 25}]
)
def test_a_model_that_the_engine_does_not_have_is_bad_configuration(values: dict[str, int]) -> None:
    with pytest.raises(BadConfiguration, match=next(iter(values)).removesuffix("_ppm")):
        engine_configuration(ModelSettings(**values))


def test_a_missing_file_says_how_to_write_one(path: Path) -> None:
    with pytest.raises(BadConfiguration, match="margin-oracle init"):
        load_settings(path)


def test_password_comes_from_file_or_variable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("[signing]\npassword_variable = 'KEEPER_TEST_PASSWORD'\n")
    settings = load_settings(path)
    monkeypatch.delenv("KEEPER_TEST_PASSWORD", raising=False)
    with pytest.raises(BadConfiguration, match="KEEPER_TEST_PASSWORD"):
        settings.password()
    monkeypatch.setenv("KEEPER_TEST_PASSWORD", "from variable")
    assert settings.password().get_secret_value() == "from variable"
    assert "from variable" not in repr(settings.password())
    (path.parent / "secret").write_text("from file\n")
    path.write_text("[signing]\npassword_file = 'secret'\n")
    assert load_settings(path).password().get_secret_value() == "from file"


def test_endpoints_with_keys_come_from_a_file(path: Path) -> None:
    (path.parent / "urls").write_text("https://one/key\n\nhttps://two/key\n")
    path.write_text("[chain]\nrpc_urls_file = 'urls'\n")
    assert load_settings(path).endpoints() == ("https://one/key", "https://two/key")


def test_a_preset_is_a_measure_and_its_level(tmp_path):
    path = tmp_path / "oracle.toml"
    result = CliRunner().invoke(app, ["init", str(path), "--preset", "emir_otc"])
    assert result.exit_code == 0, result.output
    model = load_settings(path).model
    assert (model.measure, model.es_level_ppm) == ("value_at_risk", 995_000)
    assert model.model_copy(update={"measure": "expected_shortfall", "es_level_ppm": 990_000}) == Settings().model


def test_an_unknown_preset_is_refused_by_name_and_writes_nothing(tmp_path):
    result = CliRunner().invoke(app, ["init", str(tmp_path / "oracle.toml"), "--preset", "lch"])
    assert result.exit_code != 0 and not list(tmp_path.iterdir())
