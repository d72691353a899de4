"""Terms of a deployment: what is written blank says what is missing, and what would do harm is refused by name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from oracle.chain.contract import load_artefact
from oracle.cli import app
from oracle.errors import BadConfiguration, StorageFailure
from oracle.terms import ZERO_ADDRESS, Terms
from oracle.terms_file import load_terms, parse_terms, render_blank, write_blank
from tests.deployment_cases import SIGNER_ADDRESSES, STRANGER, term_values

pytestmark = pytest.mark.fast

Change = Callable[[dict[str, Any]], None]


def filled_blank() -> str:
    """Return the blank with a different address at each place."""
    numbers = iter(range(1, 100))
    lines = render_blank().splitlines()
    kept = {"sequencer_uptime_feed": ZERO_ADDRESS}
    filled = [
        line if line.split(" = ")[0] in kept else re.sub(ZERO_ADDRESS, lambda _: f"0x{next(numbers):040x}", line)
        for line in lines
    ]
    text = "\n".join(filled)
    # The custodian answers for one of the signers.
    signer = tomllib.loads(text)["signers"]["addresses"][0]
    return re.sub(r'\nsigner = "0x[0-9a-f]{40}"', f'\nsigner = "{signer}"', text)


def test_the_blank_holds_once_its_addresses_are_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "terms.toml"
    path.write_text(filled_blank())
    read = load_terms(path)
    assert read.chain_id == 1
    assert not read.is_local_chain
    assert read.markets[0].slope_ppm_per_million_usd.as_bounds().minimum == 0
    assert read.markets[0].maintenance_ppm.as_bounds().step_minimum == 0


def test_the_blank_itself_is_refused_and_names_each_address() -> None:
    with pytest.raises(BadConfiguration) as caught:
        parse_terms(tomllib.loads(render_blank()), "blank")
    for key in ("deployer", "owner", "signers.addresses.2", "custodians.0.custodian", "custodians.0.signer"):
        assert f"{key}: Value error, is not filled in" in str(caught.value)


def test_every_key_of_the_blank_has_a_comment() -> None:
    lines = render_blank().splitlines()
    for before, line in zip(lines, lines[1:], strict=False):
        if re.match(r"\[|\w+ = ", line):
            assert before.startswith("# "), line


def test_an_existing_file_stays_and_an_unwritable_place_is_named(tmp_path: Path) -> None:
    path = tmp_path / "terms.toml"
    path.write_text("mine")
    with pytest.raises(BadConfiguration, match="exists"):
        write_blank(path)
    assert path.read_text() == "mine"
    with pytest.raises(StorageFailure, match="cannot write"):
        write_blank(tmp_path / "missing" / "terms.toml")


def test_the_command_writes_the_blank_once(tmp_path: Path) -> None:
    path = tmp_path / "terms.toml"
    assert CliRunner().invoke(app, ["deploy", "init", str(path)]).exit_code == 0
    assert path.read_text() == render_blank()
    again = CliRunner().invoke(app, ["deploy", "init", str(path)])
    assert again.exit_code == BadConfiguration.exit_code
    assert "exists" in again.output


def test_structs_are_in_the_order_of_the_abi() -> None:
    terms = Terms.model_validate(term_values())
    (constructor,) = (entry for entry in load_artefact("MarginOracle").abi if entry["type"] == "constructor")
    names = [part["name"] for part in constructor["inputs"][0]["components"]]
    assert dict(zip(names, terms.setup(), strict=True)) == {
        "owner": terms.deployer,
        "guardian": terms.guardian,
        "blockHashSource": 0,
        "timing": (3_600, 1_800, 60),
        "ownerDelaySeconds": 172_800,
        "sequencerUptimeFeed": ZERO_ADDRESS,
        "sequencerGraceSeconds": 3_600,
    }
    assert terms.markets[0].as_struct() == (
        True,
        500_001,
        (5_000, 900_000, 500_000, 50_000, 0, 40_001),
        (3_000, 800_000, 0, 0, 60_000, 40_002),
        (0, 700_000, 400_000, 30_000, 0, 40_003),
    )
    assert terms.signers.as_struct() == (2, 3, SIGNER_ADDRESSES)


def test_the_hash_is_of_every_value_and_of_no_order() -> None:
    values = term_values()
    base = Terms.model_validate(values).content_hash()
    assert Terms.model_validate(dict(reversed(values.items()))).content_hash() == base
    assert Terms.model_validate(Terms.model_validate(values).as_json()).content_hash() == base
    values["markets"][1]["slope_ppm_per_million_usd"]["fall_hourly"] += 1
    assert Terms.model_validate(values).content_hash() != base


def set_at(*path: Any) -> Change:
    """Return a change of the value at a path, the last element."""
    *keys, last, value = path

    def change(values: dict[str, Any]) -> None:
        place: Any = values
        for key in keys:
            place = place[key]
        place[last] = value

    return change


CONTRADICTIONS: dict[str, tuple[Change, str]] = {
    "unknown key": (set_at("heartbeat", 1), "heartbeat: Extra inputs"),
    "unknown key of a limit": (
        set_at("markets", 0, "maintenance_ppm", "step_minimum", 1),
        "step_minimum: Extra inputs",
    ),
    "a number as text": (set_at("owner_delay_seconds", "172800"), "owner_delay_seconds"),
    "a fraction": (set_at("timing", "dwell_seconds", 1.5), "timing.dwell_seconds"),
    "a wrong checksum": (set_at("owner", "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed"), "owner.*wrong checksum"),
    "a short salt": (set_at("salt", "0x07"), "salt.*64 hex digits"),
    "no heartbeat": (set_at("timing", "heartbeat_seconds", 0), "timing.heartbeat_seconds"),
    "a dwell beyond 24 bits": (set_at("timing", "dwell_seconds", 2**24), "timing.dwell_seconds"),
    "a delay beyond 16 bits": (set_at("timing", "minimum_delay_seconds", 2**16), "timing.minimum_delay_seconds"),
    "a delay beyond 32 bits": (set_at("owner_delay_seconds", 2**32), "owner_delay_seconds"),
    "half of the signers": (set_at("signers", "addresses", [*SIGNER_ADDRESSES, STRANGER]), "not more than half"),
    "no higher threshold": (set_at("signers", "step_threshold", 2), "not above threshold 2"),
    "a threshold out of reach": (set_at("signers", "step_threshold", 4), "at most the 3 signers"),
    "a signer twice": (set_at("signers", "addresses", [SIGNER_ADDRESSES[0]] * 3), "named twice"),
    "a custodian of a stranger": (set_at("custodians", 0, "signer", STRANGER), "which are not signers"),
    "no market": (set_at("markets", []), "markets"),
    "a market twice": (set_at("markets", 1, "market_id", 1), "market_id is used twice"),
    "a minimum of zero": (set_at("markets", 0, "initial_ppm", "minimum", 0), "initial_ppm.minimum"),
    "an empty range": (set_at("markets", 0, "initial_ppm", "maximum", 4_999), "minimum 5000 is above maximum 4999"),
    "a low fallback": (set_at("markets", 0, "fallback_initial_ppm", 4_999), "below initial_ppm.minimum 5000"),
    "initial below maintenance": (
        set_at(
            "markets", 0, "initial_ppm", term_values()["markets"][0]["initial_ppm"] | {"minimum": 1, "maximum": 2_999}
        ),
        "no initial ratio that is allowed covers",
    ),
    "local on mainnet": (set_at("chain_id", 1), "not a development chain"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_what_cannot_be_is_refused_by_name(name: str) -> None:
    change, message = CONTRADICTIONS[name]
    values = term_values()
    change(values)
    with pytest.raises(BadConfiguration, match=message):
        parse_terms(values, "terms")


UNSAFE: dict[str, tuple[Change, str]] = {
    "a short delay": (set_at("owner_delay_seconds", 86_399), "owner_delay_seconds 86399 is below 86400"),
    "no guardian": (set_at("guardian", ZERO_ADDRESS), "guardian is not filled in"),
    "owner is guardian": (set_at("guardian", f"0x{2:040x}"), "guardian and owner are the same"),
    "owner is deployer": (set_at("owner", f"0x{1:040x}"), "owner is the deployer"),
    "guardian is deployer": (set_at("guardian", f"0x{1:040x}"), "guardian is the deployer"),
    "owner signs": (set_at("owner", SIGNER_ADDRESSES[1]), f"{SIGNER_ADDRESSES[1]} would sign"),
    "custodian signs": (set_at("custodians", 0, "custodian", SIGNER_ADDRESSES[1]), "would sign"),
    "arb_sys elsewhere": (set_at("block_hash_source", "arb_sys"), "arb_sys belongs to Arbitrum"),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_what_puts_a_protocol_at_risk_is_for_local_chains_alone(name: str) -> None:
    change, message = UNSAFE[name]
    values = term_values()
    change(values)
    parse_terms(values, "local")
    with pytest.raises(BadConfiguration, match=message):
        parse_terms(values | {"is_local_chain": False}, "real")


def test_arbitrum_takes_its_own_source_of_block_hashes() -> None:
    values = term_values(chain_id=42_161, is_local_chain=False, sequencer_uptime_feed=STRANGER)
    with pytest.raises(BadConfiguration, match="block_hash_source evm on chain_id 42161"):
        parse_terms(values, "terms")
    assert parse_terms(values | {"block_hash_source": "arb_sys"}, "terms").block_hash_source.number == 2


def test_a_chain_that_has_a_sequencer_names_its_feed() -> None:
    values = term_values(chain_id=10, is_local_chain=False)
    with pytest.raises(BadConfiguration, match="sequencer_uptime_feed is zero, and chain_id 10 has a sequencer"):
        parse_terms(values, "terms")
    parse_terms(values | {"sequencer_uptime_feed": STRANGER}, "terms")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "terms.toml"
    with pytest.raises(BadConfiguration, match="deploy init"):
        load_terms(path)
    path.write_bytes(b"\xff")
    with pytest.raises(BadConfiguration, match="UTF-8"):
        load_terms(path)
    path.write_text("chain_id =")
    with pytest.raises(BadConfiguration, match="correct the file"):
        load_terms(path)
