"""Calls of the oracle's owner, custodians and guardian in words, for people who are to agree to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from oracle.chain.abi import Interface
from oracle.errors import WrongContract
from oracle.types import MarketMargin
from oracle.units import SECONDS_PER_HOUR

_NOBODY = "0x0000000000000000000000000000000000000000"


def call_words(interface: Interface, data: bytes) -> str:
    """Return what calldata of the oracle asks for; never raises, since anything may have been proposed."""
    try:
        call = interface.decode_call(data)
    except WrongContract:
        return f"a call that this release cannot read: 0x{data.hex()}"
    if "change" in call.arguments:
        verb = {"proposeChange": "propose", "executeChange": "carry out", "cancelChange": "drop"}[call.function]
        return f"{verb} the change: {call_words(interface, call.arguments['change'])}"
    words = _WORDS.get(call.function)
    shown = ", ".join(f"{name} {value}" for name, value in call.arguments.items())
    return words(call.arguments) if words else f"{call.function} {shown}".rstrip()


def limit_words(config: Any) -> str:
    """Return a market's limits; `config` as `IMarginOracle.MarketConfig`."""
    initial, maintenance, slope = config.initial, config.maintenance, config.slope
    return (
        f"fallback {config.fallbackInitialPpm} ppm; "
        f"initial {_range(initial)} ppm, {_steps(initial)}; "
        f"maintenance {_range(maintenance)} ppm, up {maintenance.riseHourly} an hour, "
        f"down {maintenance.fallHourly} an hour; "
        f"slope {_range(slope)} ppm per million USD, {_steps(slope)}"
    )


def signer_words(threshold: int, step_threshold: int, signers: Sequence[str]) -> str:
    """Return a signer set."""
    return f"{threshold} of {len(signers)} signers, {step_threshold} beyond the step: {', '.join(signers)}"


def timing_words(timing: Any) -> str:
    """Return a timing; as `IMarginOracle.Timing`."""
    return (
        f"heartbeat {duration_words(timing.heartbeatSeconds)}, dwell {duration_words(timing.dwellSeconds)}, "
        f"minimum delay {duration_words(timing.minimumDelaySeconds)}"
    )


def guardian_words(guardian: str) -> str:
    """Return who the guardian is."""
    return "nobody (no pause, no cancelling, no voiding)" if guardian == _NOBODY else guardian


def margin_words(margin: MarketMargin) -> str:
    """Return the tuple of a market, ppm and ppm per million USD."""
    return (
        f"initial {margin.initial_long_ppm}/{margin.initial_short_ppm}, "
        f"maintenance {margin.maintenance_long_ppm}/{margin.maintenance_short_ppm}, "
        f"slope {margin.slope_long_ppm}/{margin.slope_short_ppm} (long/short)"
    )


def duration_words(seconds: int) -> str:
    """Return a duration in seconds, and in hours where it is a whole number of them."""
    hours, rest = divmod(seconds, SECONDS_PER_HOUR)
    return f"{seconds} s ({hours} h)" if hours and not rest else f"{seconds} s"


def time_words(timestamp: int) -> str:
    """Return Unix seconds as a date in UTC."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _range(bounds: Any) -> str:
    return f"{bounds.minimum} to {bounds.maximum}"


def _steps(bounds: Any) -> str:
    return (
        f"up at once by the larger of {bounds.stepRelativePpm} ppm of it and {bounds.stepMinimum}, "
        f"down {bounds.fallHourly} an hour"
    )


def _grant(values: Mapping[str, Any]) -> str:
    custodian, signer = values["custodian"], values["signer"]
    if signer == _NOBODY:
        return f"custodian {custodian} may replace no signer any more"
    return f"custodian {custodian} may replace the signer {signer}"


def _offer(values: Mapping[str, Any]) -> str:
    if values["newOwner"] == _NOBODY:
        return "take back any offer of the ownership"
    return f"offer the ownership to {values['newOwner']}, who has to accept it"


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "setSigners": lambda values: f"accept reports of {signer_words(*values['set'])}",
    "configureMarket": lambda values: (
        f"set market {values['marketId']} {values['name']!r}: {limit_words(values['config'])}"
    ),
    "setTiming": lambda values: f"set {timing_words(values['newTiming'])}",
    "grantRotation": _grant,
    "setGuardian": lambda values: f"make the guardian {guardian_words(values['newGuardian'])}",
    "setOwnerDelay": lambda values: f"let the owner's changes wait {duration_words(values['newOwnerDelaySeconds'])}",
    "transferOwnership": _offer,
    "acceptOwnership": lambda _: "accept the ownership",
    "rotateSigner": lambda values: f"put {values['newSigner']} in the place of the signer that the sender answers for",
    "pause": lambda _: "pause posts",
    "unpause": lambda _: "let posts go on",
    "cancelPending": lambda values: f"drop the looser margin that waits in market {values['marketId']}",
    "voidAccounts": lambda _: "void both accounts roots until the next report",
    "announceCalibration": lambda values: (
        f"announce the calibration 0x{values['contentHash'].hex()} at {values['location']!r}"
    ),
}
