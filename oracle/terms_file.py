"""The file that holds the terms of a deployment: read and checked, or written blank with a comment on every key."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from oracle.errors import BadConfiguration, StorageFailure
from oracle.terms import (
    ZERO_ADDRESS,
    CustodianTerms,
    InitialLimits,
    MaintenanceLimits,
    MarketTerms,
    SignerTerms,
    SlopeLimits,
    Terms,
    TimingTerms,
)

Section = TypeVar("Section", bound=BaseModel)

_BLANK_LIMITS = {
    "minimum": 5_000,
    "maximum": 1_000_000,
    "step_relative_ppm": 500_000,
    "step_minimum": 50_000,
    "rise_hourly": 60_000,
    "fall_hourly": 40_000,
}
_BLANK: dict[str, Any] = {
    "chain_id": 1,
    "is_local_chain": False,
    "salt": "0x" + "00" * 32,
    "deployer": ZERO_ADDRESS,
    "owner": ZERO_ADDRESS,
    "guardian": ZERO_ADDRESS,
    "owner_delay_seconds": 172_800,
    "block_hash_source": "evm",
    "sequencer_uptime_feed": ZERO_ADDRESS,
    "sequencer_grace_seconds": 3_600,
    "with_lens": False,
    "timing": {"heartbeat_seconds": 3_600, "dwell_seconds": 1_800, "minimum_delay_seconds": 60},
    "signers": {"threshold": 2, "step_threshold": 3, "addresses": [ZERO_ADDRESS] * 3},
    "custodians": [{"custodian": ZERO_ADDRESS, "signer": ZERO_ADDRESS}],
    "markets": [
        {
            "market_id": 1,
            "name": "ETH perpetual",
            "fallback_initial_ppm": 500_000,
            "initial_ppm": _BLANK_LIMITS,
            "maintenance_ppm": _BLANK_LIMITS | {"minimum": 3_000},
            "slope_ppm_per_million_usd": _BLANK_LIMITS | {"minimum": 0},
        }
    ],
}
_SECTIONS: dict[str, type[BaseModel]] = {
    "timing": TimingTerms,
    "signers": SignerTerms,
    "custodians": CustodianTerms,
    "markets": MarketTerms,
    "initial_ppm": InitialLimits,
    "maintenance_ppm": MaintenanceLimits,
    "slope_ppm_per_million_usd": SlopeLimits,
}


def load_terms(path: Path) -> Terms:
    """Read and check a file of terms.

    Raises
    ------
    BadConfiguration
        Missing file, malformed TOML, unknown key, a value or a relation that is wrong; each fault with its key.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfiguration(
            f"terms {path}: {error.strerror}", "write some with `margin-oracle deploy init`"
        ) from None
    except UnicodeDecodeError:
        raise BadConfiguration(f"terms {path} are not UTF-8 text", "correct the file") from None
    except tomllib.TOMLDecodeError as error:
        raise BadConfiguration(f"{path}: {error}", "correct the file") from None
    return parse_terms(values, str(path))


def parse_terms(values: dict[str, Any], where: str) -> Terms:
    """Return the terms that these values are; `where` names them in an error. Errors as `load_terms`."""
    return parse_section(Terms, values, where)


def parse_section(model: type[Section], values: dict[str, Any], where: str) -> Section:
    """Return one section of terms; as `parse_terms`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'together'}: {e['msg']}" for e in error.errors())
        raise BadConfiguration(f"{where}: {faults}", "correct the keys named") from None


def render_blank() -> str:
    """Return terms with a comment on every key; refused until every address in them is filled in."""
    lines = ["# Terms of a deployment; `margin-oracle deploy plan` says what they lead to.", ""]
    return "\n".join([*lines, *_rendered(Terms, _BLANK, ""), ""])


def write_blank(path: Path) -> None:
    """Write `render_blank` to a file; an existing one is never overwritten."""
    if path.exists():
        raise BadConfiguration(f"{path} exists", "remove it or choose another name")
    try:
        path.write_text(render_blank())
    except OSError as error:
        path.unlink(missing_ok=True)  # a part of it would stand in the way of the next try
        raise StorageFailure(f"cannot write {path}: {error.strerror}", "check disk space and permissions") from None


def _rendered(model: type[BaseModel], values: dict[str, Any], prefix: str) -> list[str]:
    lines: list[str] = []
    for key, info in model.model_fields.items():
        if key not in _SECTIONS:
            # JSON's numbers, booleans, strings and lists are TOML's too.
            lines += [f"# {info.description}", f"{key} = {json.dumps(values[key])}"]
    for key in model.model_fields:
        section = _SECTIONS.get(key)
        if section is None:
            continue
        content = values[key]
        path, header = f"{prefix}{key}", "[[{}]]" if isinstance(content, list) else "[{}]"
        for one in content if isinstance(content, list) else [content]:
            lines += ["", f"# {(section.__doc__ or '').strip()}", header.format(path)]
            lines += _rendered(section, one, f"{path}.")
    return lines
