"""Measures of clearing houses and regulators as ready choices of both records; horizon and confidence stay as they are.

Their liquidation horizons are two to five business days, for members who can be phoned; a venue that liquidates around
the clock has its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from engine.configuration import EXPECTED_SHORTFALL, VALUE_AT_RISK, CalibrationSettings, ModelConfiguration
from engine.errors import InvalidInput

Record = TypeVar("Record", CalibrationSettings, ModelConfiguration)


@dataclass(frozen=True, slots=True)
class Preset:
    """A measure, its level, and who uses it."""

    measure: str
    level: float
    source: str


PRESETS: Mapping[str, Preset] = {
    "occ": Preset(EXPECTED_SHORTFALL, 0.99, "OCC's STANS, 86 FR 9410 (2021)"),
    "emir": Preset(VALUE_AT_RISK, 0.99, "EU 153/2013, article 24(1), instruments that are not OTC; PFMI principle 6"),
    "emir_otc": Preset(VALUE_AT_RISK, 0.995, "EU 153/2013, article 24(1), OTC derivatives"),
    "basel": Preset(EXPECTED_SHORTFALL, 0.975, "Basel framework, MAR33, internal models of market risk"),
}


def with_preset(record: Record, name: str) -> Record:
    """Return the record with the preset's measure and level; an artefact and a model must have the same.

    Raises
    ------
    InvalidInput
        If there is no such preset.
    """
    if name not in PRESETS:
        raise InvalidInput(f"preset {name}: choose from {', '.join(PRESETS)}")
    return replace(record, measure=PRESETS[name].measure, es_level=PRESETS[name].level)
