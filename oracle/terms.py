"""The terms of a deployment: everything that is decided before a contract exists.

Unknown keys are refused and every number has its unit in its name. What a section calls `_ppm` is in parts per million
of notional throughout, `_ppm_per_million_usd` in those per million USD of notional.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated, Any

from eth_utils.crypto import keccak
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from oracle.chain import margin_oracle
from oracle.config import Address
from oracle.types import Bounds
from oracle.units import UINT32_MAX

ZERO_ADDRESS = "0x0000000000000000000000000000000000000000"
LOCAL_CHAIN_IDS = (31_337, 1_337)
ARBITRUM_CHAIN_IDS = (42_161, 42_170, 421_614)
"""Where BLOCKHASH does not give the hashes of the chain's own blocks."""
SEQUENCED_CHAIN_IDS = (10, 8_453, 42_161)
"""Optimism, Base and Arbitrum: nobody can top up an account while their sequencer is down."""
LEAST_OWNER_DELAY_SECONDS = 86_400
LARGEST_SIGNER_SET = 32


def _filled_in(value: str) -> str:
    if value == ZERO_ADDRESS:
        raise ValueError("is not filled in")
    return value


def _hash_text(value: str) -> str:
    digits = value.removeprefix("0x")
    if not value.startswith("0x") or len(digits) != 64 or set(digits) - set("0123456789abcdefABCDEF"):
        raise ValueError(f"{value!r} is not 0x and 64 hex digits")
    return value.lower()


Holder = Annotated[Address, AfterValidator(_filled_in)]
Salt = Annotated[str, AfterValidator(_hash_text)]
Uint32 = Annotated[int, Field(ge=0, le=UINT32_MAX, strict=True)]
Positive32 = Annotated[int, Field(ge=1, le=UINT32_MAX, strict=True)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BlockHashSource(Enum):
    """Where the contract takes the hash of a report's reference block from, as `IMarginOracle.BlockHashSource`."""

    EVM = "evm"
    EIP2935 = "eip_2935"
    ARB_SYS = "arb_sys"

    @property
    def number(self) -> int:
        """As in the contract's enumeration."""
        return int(margin_oracle.BlockHashSource[self.name])


class TimingTerms(_Section):
    """How reports and reads are timed."""

    heartbeat_seconds: int = Field(ge=1, lt=2**24, strict=True, description="Age beyond which a margin is stale.")
    dwell_seconds: int = Field(ge=0, lt=2**24, strict=True, description="How long a looser margin waits.")
    minimum_delay_seconds: int = Field(
        ge=0, lt=2**16, strict=True, description="Shortest time between two rises of one market, one correction aside."
    )

    def as_struct(self) -> tuple[int, int, int]:
        """Return `IMarginOracle.Timing`."""
        return self.heartbeat_seconds, self.dwell_seconds, self.minimum_delay_seconds


class SignerTerms(_Section):
    """The quorum."""

    threshold: int = Field(ge=1, strict=True, description="Signatures that a report needs; more than half.")
    step_threshold: int = Field(ge=1, strict=True, description="What a report beyond the step needs; more than that.")
    addresses: tuple[Holder, ...] = Field(max_length=LARGEST_SIGNER_SET, description="The signers, in any order.")

    @model_validator(mode="after")
    def _sound(self) -> SignerTerms:
        if len(set(self.addresses)) != len(self.addresses):
            raise ValueError("a signer is named twice")
        if not len(self.addresses) < 2 * self.threshold:
            raise ValueError(f"threshold {self.threshold} is not more than half of {len(self.addresses)} signers")
        if not self.threshold < self.step_threshold <= len(self.addresses):
            raise ValueError(
                f"step_threshold {self.step_threshold} is not above threshold {self.threshold} "
                f"and at most the {len(self.addresses)} signers"
            )
        return self

    def as_struct(self) -> tuple[int, int, tuple[str, ...]]:
        """Return `IMarginOracle.SignerSet`, signers ascending."""
        return self.threshold, self.step_threshold, tuple(sorted(self.addresses, key=str.lower))


class CustodianTerms(_Section):
    """Who may replace which hot key at once."""

    custodian: Holder = Field(description="May replace the signer by `rotateSigner`; not a hot key itself.")
    signer: Holder = Field(description="The signer that it answers for.")


class _Limits(_Section):
    @model_validator(mode="after")
    def _range(self) -> _Limits:
        bounds = self.as_bounds()
        if bounds.minimum > bounds.maximum:
            raise ValueError(f"minimum {bounds.minimum} is above maximum {bounds.maximum}")
        return self

    def as_bounds(self) -> Bounds:
        """Return `IMarginOracle.Bounds`; what this group of values does not have is 0."""
        values = self.model_dump()
        return Bounds(**{name: values.get(name, 0) for name in Bounds.__slots__})


class InitialLimits(_Limits):
    """Limits of both initial ratios, in ppm of notional."""

    minimum: Positive32 = Field(description="Smallest value ever accepted.")
    maximum: Positive32 = Field(description="Largest value ever accepted.")
    step_relative_ppm: Uint32 = Field(description="Largest rise in one report, relative to the value in force.")
    step_minimum: Uint32 = Field(description="Rise always allowed in one report.")
    fall_hourly: Uint32 = Field(description="Largest fall an hour.")


class MaintenanceLimits(_Limits):
    """Limits of both maintenance ratios, in ppm of notional."""

    minimum: Positive32 = Field(description="Smallest value ever accepted.")
    maximum: Positive32 = Field(description="Largest value ever accepted.")
    rise_hourly: Uint32 = Field(description="Largest rise an hour.")
    fall_hourly: Uint32 = Field(description="Largest fall an hour.")


class SlopeLimits(_Limits):
    """Limits of both slopes in size, in ppm per million USD of notional."""

    minimum: Uint32 = Field(description="Smallest value ever accepted.")
    maximum: Uint32 = Field(description="Largest value ever accepted.")
    step_relative_ppm: Uint32 = Field(description="Largest rise in one report, relative to the value in force.")
    step_minimum: Uint32 = Field(description="Rise always allowed in one report.")
    fall_hourly: Uint32 = Field(description="Largest fall an hour.")


class MarketTerms(_Section):
    """A market and its limits; one `[[markets]]` for each."""

    market_id: Uint32 = Field(description="The owner's choice, never reused for another product.")
    name: str = Field(min_length=1, max_length=64, description="For people; announced, not stored.")
    fallback_initial_ppm: Positive32 = Field(description="What opening costs at least while the oracle is stale.")
    initial_ppm: InitialLimits
    maintenance_ppm: MaintenanceLimits
    slope_ppm_per_million_usd: SlopeLimits

    @model_validator(mode="after")
    def _fallback(self) -> MarketTerms:
        if self.fallback_initial_ppm < self.initial_ppm.minimum:
            raise ValueError(
                f"fallback_initial_ppm {self.fallback_initial_ppm} is below initial_ppm.minimum "
                f"{self.initial_ppm.minimum}"
            )
        if self.initial_ppm.maximum < self.maintenance_ppm.minimum:
            raise ValueError("no initial ratio that is allowed covers the smallest maintenance ratio")
        return self

    def groups(self) -> tuple[Bounds, Bounds, Bounds]:
        """Return the limits of initial, maintenance and slope."""
        limits = self.initial_ppm, self.maintenance_ppm, self.slope_ppm_per_million_usd
        return limits[0].as_bounds(), limits[1].as_bounds(), limits[2].as_bounds()

    def as_struct(self) -> tuple[Any, ...]:
        """Return `IMarginOracle.MarketConfig`."""
        groups = (tuple(getattr(group, name) for name in Bounds.__slots__) for group in self.groups())
        return True, self.fallback_initial_ppm, *groups


class Terms(_Section):
    """Terms of a deployment."""

    chain_id: int = Field(ge=1, strict=True, description="Chain id; every endpoint must answer with it.")
    is_local_chain: bool = Field(
        strict=True, description="A development chain, where nothing is at stake; chain ids 31337 and 1337 alone."
    )
    salt: Salt = Field(description="32 bytes; another one gives another address.")
    deployer: Holder = Field(description="Sends everything and owns the oracle until it is handed over.")
    owner: Holder = Field(description="To whom the oracle is handed over; a multisig, not a hot key.")
    guardian: Address = Field(description="Can pause, cancel and void, nothing else; not the owner.")
    owner_delay_seconds: Uint32 = Field(description="How long a change of the owner's waits once reports come in.")
    block_hash_source: BlockHashSource = Field(
        description="evm (last 256 blocks), eip_2935 (last 8191) or arb_sys (Arbitrum)."
    )
    sequencer_uptime_feed: Address = Field(description="Chainlink's feed of the L2 sequencer; zero on an L1.")
    sequencer_grace_seconds: Uint32 = Field(description="How long after the sequencer came back its outage counts.")
    with_lens: bool = Field(strict=True, description="Deploy BookLens too; a lens of the demonstration venue.")
    timing: TimingTerms
    signers: SignerTerms
    custodians: tuple[CustodianTerms, ...] = ()
    markets: tuple[MarketTerms, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _relations(self) -> Terms:
        faults = [*self._contradictions(), *([] if self.is_local_chain else self._unsafe())]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _contradictions(self) -> list[str]:
        market_ids = [market.market_id for market in self.markets]
        custodians = [grant.custodian for grant in self.custodians]
        strangers = [grant.signer for grant in self.custodians if grant.signer not in self.signers.addresses]
        on_arbitrum = self.chain_id in ARBITRUM_CHAIN_IDS
        checks = (
            (
                self.is_local_chain and self.chain_id not in LOCAL_CHAIN_IDS,
                f"is_local_chain is set, and chain_id {self.chain_id} is not a development chain's",
            ),
            (len(set(market_ids)) != len(market_ids), "a market_id is used twice"),
            (len(set(custodians)) != len(custodians), "a custodian answers for one signer only"),
            (bool(strangers), f"custodians of {', '.join(strangers)}, which are not signers"),
            (
                on_arbitrum != (self.block_hash_source is BlockHashSource.ARB_SYS) and not self.is_local_chain,
                f"block_hash_source {self.block_hash_source.value} on chain_id {self.chain_id}: "
                "arb_sys belongs to Arbitrum, and nothing else does",
            ),
        )
        return [fault for is_wrong, fault in checks if is_wrong]

    def _unsafe(self) -> list[str]:
        """Name what only a chain where nothing is at stake may do."""
        custodians = {grant.custodian for grant in self.custodians}
        cold = {self.owner, self.guardian, self.deployer} | custodians
        hot = sorted(cold & set(self.signers.addresses))
        checks = (
            (
                self.owner_delay_seconds < LEAST_OWNER_DELAY_SECONDS,
                f"owner_delay_seconds {self.owner_delay_seconds} is below {LEAST_OWNER_DELAY_SECONDS}",
            ),
            (self.guardian == ZERO_ADDRESS, "guardian is not filled in"),
            (
                self.chain_id in SEQUENCED_CHAIN_IDS and self.sequencer_uptime_feed == ZERO_ADDRESS,
                f"sequencer_uptime_feed is zero, and chain_id {self.chain_id} has a sequencer",
            ),
            (self.guardian == self.owner, "guardian and owner are the same"),
            (self.owner == self.deployer, "owner is the deployer: hand over to another account"),
            (self.guardian == self.deployer, "guardian is the deployer: name another account"),
            (bool(hot), f"{', '.join(hot)} would sign reports and hold an office"),
        )
        return [fault for is_unsafe, fault in checks if is_unsafe]

    def setup(self) -> tuple[Any, ...]:
        """Return `IMarginOracle.Setup`, with the deployer as the first owner."""
        return (
            self.deployer,
            self.guardian,
            self.block_hash_source.number,
            self.timing.as_struct(),
            self.owner_delay_seconds,
            self.sequencer_uptime_feed,
            self.sequencer_grace_seconds,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the terms as JSON values: whole numbers, booleans, strings, lists and objects."""
        return self.model_dump(mode="json")

    def content_hash(self) -> str:
        """Return the keccak hash of the canonical JSON, 0x and 64 hex digits."""
        text = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return "0x" + keccak(text=text).hex()
