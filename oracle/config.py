"""The configuration: one TOML file, one frozen model, unknown keys refused; built once in the command line.

Each number has its unit in its name. Secrets are never in the file: a keystore password or a list of endpoints that
carry keys comes from a file or an environment variable that the configuration names.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from eth_utils.address import (
    is_address,
    is_checksum_address,
    is_checksum_formatted_address,
    to_checksum_address,
)
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from oracle.errors import BadConfiguration, StorageFailure


def _checksummed(value: str) -> str:
    # eth_utils.is_address accepts mixed case with a wrong checksum: a mistyped address would pass.
    if not is_address(value):
        raise ValueError(f"{value!r} is not an address")
    if is_checksum_formatted_address(value) and not is_checksum_address(value):
        raise ValueError(f"{value!r} has a wrong checksum")
    return to_checksum_address(value)


Address = Annotated[str, AfterValidator(_checksummed)]
PpmFraction = Annotated[int, Field(ge=0, le=1_000_000)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChainSettings(_Section):
    """The chain and how to reach it."""

    chain_id: int = Field(31337, ge=1, description="Chain id; every endpoint must answer with it.")
    rpc_urls: tuple[str, ...] = Field(("http://127.0.0.1:8545",), description="HTTP endpoints without secrets.")
    rpc_urls_file: str = Field("", description="File with one endpoint a line, for endpoints that carry keys.")
    confirmation_blocks: int = Field(0, ge=0, description="Blocks behind the head at which a cycle reads.")
    maximum_head_age_seconds: int = Field(
        120, ge=0, description="Oldest acceptable head; 0 for a local chain whose time is not the wall clock."
    )
    request_timeout_seconds: int = Field(20, ge=1, description="Longest wait for one answer.")
    maximum_fee_gwei: int = Field(200, ge=1, description="Largest fee per gas in normal operation.")
    receipt_timeout_seconds: int = Field(120, ge=1, description="After this a sent transaction counts as unknown.")


class ContractSettings(_Section):
    """Addresses."""

    oracle: Address = Field("0x0000000000000000000000000000000000000000", description="MarginOracle.")
    exchange: Address = Field("0x0000000000000000000000000000000000000000", description="The venue that is read.")
    lens: Address | Literal[""] = Field("", description="BookLens; empty: used by state override.")
    first_block: int = Field(0, ge=0, description="Block of the oracle's deployment; events are searched from it.")
    signers: tuple[Address, ...] = Field((), description="The signers that the oracle accepts; checked by their hash.")
    threshold: int = Field(2, ge=1, description="Signatures that a report needs.")
    step_threshold: int = Field(3, ge=1, description="Signatures that a report beyond the contract's step needs.")


class PriceSettings(_Section):
    """What a price must satisfy."""

    maximum_price_age_seconds: int = Field(3_900, ge=1, description="Oldest acceptable round at the block.")
    maximum_surface_age_seconds: int = Field(7_200, ge=1, description="Oldest acceptable volatility slice.")


class CalibrationSettings(_Section):
    """The calibration artefact that all keepers agree on."""

    artefact: str = Field("calibration.json", description="Path, relative to this file.")
    content_hash: str = Field("", description="Expected hash; empty: whatever the artefact says of itself.")
    maximum_age_days: int = Field(45, ge=1, description="Oldest artefact that a cycle accepts.")
    history: str = Field("", description="Directory of price files that a new calibration reads.")
    sources: tuple[str, ...] = Field((), description="Directories of further venues that check those prices.")
    interval_hours: int = Field(
        0, ge=0, description="Hours between calibrations of the daemon; 0: off. Keepers of one quorum agree by hash."
    )


class ModelSettings(_Section):
    """The margin model; every value enters the model hash."""

    measure: Literal["expected_shortfall", "value_at_risk"] = Field(
        "expected_shortfall", description="What is bounded; presets of clearing houses: init --preset."
    )
    es_level_ppm: PpmFraction = Field(990_000, description="Level of the measure.")
    bound_confidence_ppm: PpmFraction = Field(950_000, description="Confidence of the posted upper bound.")
    initial_horizon_hours: int = Field(24, ge=1, le=72, description="Liquidation horizon of initial margin.")
    maintenance_horizon_hours: int = Field(4, ge=1, le=72, description="Horizon of maintenance margin.")
    gross_weight_ppm: PpmFraction = Field(200_000, description="Smallest share of the gross requirement.")
    leg_floor_ppm: PpmFraction = Field(2_000, description="Floor of each leg, of its underlying notional.")
    initial_over_maintenance_ppm: PpmFraction = Field(
        100_000, description="Least distance of initial above maintenance."
    )
    liquidation_fee_ppm: PpmFraction = Field(10_000, description="Liquidation fee, of underlying notional.")
    reference_size_usd: int = Field(1_000_000, ge=1, description="Notional at which the size slope is tangent.")
    stress_weight_ppm: PpmFraction = Field(250_000, description="Share of the most stressed month; 0: none.")
    stress_cap_ppm: int = Field(
        1_250_000, ge=1_000_000, le=10_000_000, description="Most that the stressed month multiplies a margin by."
    )
    monte_carlo_points: int = Field(
        512, ge=0, le=65_536, description="Points of each of 16 scrambles, a power of two from 128 on; 0: none."
    )
    trend_addon: bool = Field(True, description="Stretch falls after falls and rises after rises.")


class PolicySettings(_Section):
    """When to publish."""

    deviation_ppm: int = Field(50_000, ge=0, description="Relative change of any ratio that is worth a post.")
    tightening_ppm: int = Field(10_000, ge=0, description="The same for a rise: too little margin is the dearer error.")
    heartbeat_margin_seconds: int = Field(900, ge=0, description="Publish this long before the heartbeat runs out.")
    accounts_age_seconds: int = Field(1_800, ge=1, description="Publish when the accounts root is at least this old.")
    valid_for_seconds: int = Field(1_800, ge=60, description="A report may be submitted this long after its block.")


class SigningSettings(_Section):
    """Keys that sign reports, and the one that pays gas; never the same."""

    keystores: tuple[str, ...] = Field((), description="Keystore v3 files of this keeper's signers.")
    gas_keystore: str = Field("", description="Keystore v3 file of the account that sends transactions.")
    password_file: str = Field("", description="File with the password of all keystores.")
    password_variable: str = Field("MARGIN_ORACLE_PASSWORD", description="Or the variable that holds it.")


class ScheduleSettings(_Section):
    """The daemon."""

    interval_seconds: int = Field(60, ge=1, description="Time between cycles.")
    drain_seconds: int = Field(60, ge=1, description="Longest wait for a running cycle on SIGTERM.")
    alert_after_failures: int = Field(3, ge=1, description="Failures or refusals in a row before an alert.")
    threads: int = Field(2, ge=1, description="Threads of a valuation; the result does not depend on it.")


class StorageSettings(_Section):
    """What is kept on disk."""

    journal: str = Field("journal.sqlite", description="SQLite file, relative to this file.")


class LogSettings(_Section):
    """Logs."""

    format: Literal["human", "json"] = Field("human", description="human or json.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level shown.")


class Settings(_Section):
    """The whole configuration. `directory` is where the file lies; paths in it are relative to it."""

    chain: ChainSettings = ChainSettings()
    contracts: ContractSettings = ContractSettings()
    prices: PriceSettings = PriceSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    model: ModelSettings = ModelSettings()
    policy: PolicySettings = PolicySettings()
    signing: SigningSettings = SigningSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    storage: StorageSettings = StorageSettings()
    logs: LogSettings = LogSettings()
    directory: Path = Field(Path("."), exclude=True)

    @model_validator(mode="after")
    def _relations(self) -> Settings:
        if self.model.maintenance_horizon_hours > self.model.initial_horizon_hours:
            raise ValueError("model.maintenance_horizon_hours is longer than model.initial_horizon_hours")
        if self.signing.gas_keystore and self.signing.gas_keystore in self.signing.keystores:
            raise ValueError("signing.gas_keystore is also a signer: use different keys to sign and to pay")
        if self.calibration.interval_hours and not self.calibration.history:
            raise ValueError("calibration.interval_hours is set and calibration.history names no directory")
        return self

    def path(self, name: str) -> Path:
        """Return a path of the file as an absolute one."""
        return (self.directory / name).resolve()

    def endpoints(self) -> tuple[str, ...]:
        """Return the endpoints, from the secret file where one is named."""
        if not self.chain.rpc_urls_file:
            return self.chain.rpc_urls
        text = _read(self.path(self.chain.rpc_urls_file), "chain.rpc_urls_file")
        return tuple(line.strip() for line in text.splitlines() if line.strip())

    def password(self) -> SecretStr:
        """Return the keystores' password.

        Raises
        ------
        BadConfiguration
            If neither the file nor the variable is there; names both.
        """
        if self.signing.password_file:
            return SecretStr(_read(self.path(self.signing.password_file), "signing.password_file").strip())
        value = os.environ.get(self.signing.password_variable, "")
        if not value:
            raise BadConfiguration(
                "no keystore password: signing.password_file is empty and "
                f"the variable {self.signing.password_variable} is not set",
                "set one of the two",
            )
        return SecretStr(value)


def load_settings(path: Path) -> Settings:
    """Read and check a configuration file.

    Raises
    ------
    BadConfiguration
        Missing file, malformed TOML, unknown key, value out of range; each fault is named with its key.
    """
    text = _read(path, "configuration")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfiguration(f"{path}: {error}", "correct the file") from None
    if "directory" in values:
        raise BadConfiguration(f"{path}: unknown key 'directory'", "remove it")
    try:
        return Settings(**values, directory=path.resolve().parent)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise BadConfiguration(f"{path}: {faults}", "correct the keys named") from None


def render_settings(settings: Settings) -> str:
    """Return the configuration as TOML with the meaning of each key as a comment; `load_settings` reads it back."""
    lines = ["# Margin oracle configuration. Paths are relative to this file; no secret belongs in it.", ""]
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if not isinstance(section, BaseModel):
            continue
        lines += [f"# {(type(section).__doc__ or '').strip()}", f"[{name}]"]
        for key, info in type(section).model_fields.items():
            lines += [f"# {info.description}", f"{key} = {_toml(getattr(section, key))}"]
        lines.append("")
    return "\n".join(lines)


def write_settings(path: Path, settings: Settings) -> None:
    """Write a configuration file; an existing one is never overwritten."""
    if path.exists():
        raise BadConfiguration(f"{path} exists", "remove it or choose another name")
    try:
        path.write_text(render_settings(settings))
    except OSError as error:
        path.unlink(missing_ok=True)  # a part of it would stand in the way of the next try
        raise StorageFailure(f"cannot write {path}: {error.strerror}", "check disk space and permissions") from None


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, int):
        return str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadConfiguration(f"{what} file {path} is not UTF-8 text", "correct the file") from None
    except OSError as error:
        raise BadConfiguration(
            f"{what} file {path}: {error.strerror}",
            "write one with `margin-oracle init`" if what == "configuration" else "",
        ) from None
