"""Option holdings, ids and prices of Derive v2: lyra-utils `Black76.sol` and `OptionEncoding.sol`.

Amounts, prices and volatilities are integers with 18 decimals. The contract's exponential, logarithm and normal
distribution agree with our float64 kernels to about 1e-15 of the larger of forward and strike; the rest is integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.errors import InvalidInput
from engine.kernels import special
from engine.rules.fixed_point import WAD, multiply_wad, wad_from_float

SECONDS_PER_YEAR = 365 * 86_400

_LARGEST_DEVIATION_WAD = 24 * WAD
"""From here on the contract takes the call for the forward itself."""

_STRIKE_STEP_WAD = 10**10
_EXPIRY_BITS, _CALL_BIT = 32, 95


@dataclass(frozen=True, slots=True)
class Option:
    """A holding of one option within an expiry; `amount_wad` is negative when short."""

    strike_wad: int
    is_call: bool
    amount_wad: int
    volatility_wad: int

    def __post_init__(self) -> None:
        if self.strike_wad < 0 or self.volatility_wad < 0:
            raise InvalidInput(f"strike {self.strike_wad} or volatility {self.volatility_wad} is negative")


def option_id(expiry: int, strike_wad: int, is_call: bool) -> int:
    """Return the sub-id of an option: expiry in the low 32 bits, then the strike in units of 1e-8, then the call bit.

    Raises
    ------
    InvalidInput
        If the strike is no multiple of 1e-8, or strike or expiry have more bits than the id.
    """
    strike, rest = divmod(strike_wad, _STRIKE_STEP_WAD)
    if rest or not 0 <= strike < 1 << (_CALL_BIT - _EXPIRY_BITS) or not 0 <= expiry < 1 << _EXPIRY_BITS:
        raise InvalidInput(f"strike {strike_wad} with expiry {expiry} does not fit an option id")
    return int(is_call) << _CALL_BIT | strike << _EXPIRY_BITS | expiry


def years_wad(seconds: int) -> int:
    """Return seconds as years of 365 days, rounded down."""
    return seconds * WAD // SECONDS_PER_YEAR


def black76_price_wad(
    is_call: bool, forward_wad: int, strike_wad: int, volatility_wad: int, seconds_to_expiry: int
) -> int:
    """Return the undiscounted price of one option with the limits of the contract.

    Prices are formed per unit of forward and multiplied by it last; the put is call + strike - forward, not below
    zero. A strike of zero makes the call the forward, a forward of zero the put the strike; no variance at all counts
    as a deviation of 1e-18.
    """
    if forward_wad == 0 or strike_wad == 0:
        return forward_wad if is_call else strike_wad
    moneyness_wad = strike_wad * WAD // forward_wad
    deviation_wad = multiply_wad(volatility_wad, math.isqrt(years_wad(seconds_to_expiry) * WAD))
    call_wad = _call_per_forward_wad(max(moneyness_wad, 1), max(deviation_wad, 1))
    put_wad = max(call_wad + moneyness_wad - WAD, 0)
    return multiply_wad(forward_wad, call_wad if is_call else put_wad)


def value_wad(options: Iterable[Option], forward_wad: int, volatility_factor_wad: int, seconds_to_expiry: int) -> int:
    """Return the sum of amount times price over options of one expiry, with volatilities times a factor."""
    return sum(
        multiply_wad(
            option.amount_wad,
            black76_price_wad(
                option.is_call,
                forward_wad,
                option.strike_wad,
                multiply_wad(option.volatility_wad, volatility_factor_wad),
                seconds_to_expiry,
            ),
        )
        for option in options
    )


def exponential_wad(exponent_wad: int) -> int:
    """Return exp of a wad as a wad."""
    return wad_from_float(_at(special.exp_array, exponent_wad / WAD))


def power_wad(base_wad: int, exponent_wad: int) -> int:
    """Return base to the exponent as exp(exponent ln(base)), for a positive base."""
    return wad_from_float(_at(special.exp_array, _at(special.log_array, base_wad / WAD) * (exponent_wad / WAD)))


def _call_per_forward_wad(moneyness_wad: int, deviation_wad: int) -> int:
    if deviation_wad >= _LARGEST_DEVIATION_WAD:
        return WAD
    deviation = deviation_wad / WAD
    upper = 0.5 * deviation - _at(special.log_array, moneyness_wad / WAD) / deviation
    paid = wad_from_float(_at(special.normal_cdf_array, upper))
    exercised = wad_from_float(_at(special.normal_cdf_array, upper - deviation))
    return max(paid - multiply_wad(moneyness_wad, exercised), 0)


def _at(function: Callable[[float], special.Vector], value: float) -> float:
    return float(function(value))
