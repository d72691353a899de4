"""What portfolios that were run on the contracts of Derive v2 have in common: option records, and how close is equal.

The contracts' logarithm, exponential and normal distribution differ from ours in the last digits, so amounts may
differ by a share of the notional held. What needs no such function, confidences and indices among them, must be equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.rules.derive_options import Option, option_id
from engine.rules.fixed_point import WAD
from engine.validation.truth.case import Case, Computed, NotUnderstood, Tree

NOTIONAL_TOLERANCE = 1e-14
"""Of the notional held: a few roundings of a float64 price."""
LEAST_TOLERANCE_WAD = 100
"""What roundings to 18 decimals leave when next to nothing is held."""


@dataclass(frozen=True, slots=True)
class HeldExpiry:
    """The record of an expiry, with the options that the account holds at it."""

    record: Case
    expiry: int
    seconds_to_expiry: int
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Holdings:
    """The option holdings of an account in one market."""

    expiries: tuple[HeldExpiry, ...]
    """In the order in which the account holds options of them; those without any come last."""
    options: tuple[tuple[int, Option], ...]
    """(expiry, option) in the account's order."""
    listed: tuple[int, ...]
    """The expiries in the order of their records."""
    checked: Mapping[str, Tree]
    """Seconds to expiry and option ids: stated by the records, but computed rather than believed."""

    @property
    def held(self) -> tuple[HeldExpiry, ...]:
        """The expiries with options."""
        return tuple(one for one in self.expiries if one.options)

    def notional_wad(self, spot_wad: int, other_amount_wad: int) -> int:
        """Return amounts times spot, options and others, plus option amounts times strikes."""
        amount = other_amount_wad + sum(abs(option.amount_wad) for _, option in self.options)
        strikes = sum(abs(option.amount_wad) * option.strike_wad for _, option in self.options)
        return (amount * spot_wad + strikes) // WAD


def read_holdings(inputs: Case, now: int) -> Holdings:
    """Return the options of a record of inputs at a time in seconds, each with the volatility of its strike."""
    records = {record.integer("expiry"): record for record in inputs.records("expiries")}
    volatilities = {
        (expiry, row.big_integer("strike")): row.big_integer("vol")
        for expiry, record in records.items()
        for row in record.records("vols")
    }
    options: list[tuple[int, Option]] = []
    ids: list[Tree] = []
    for record in inputs.records("options"):
        expiry, strike, is_call = record.integer("expiry"), record.big_integer("strike"), record.flag("is_call")
        if (expiry, strike) not in volatilities:
            raise NotUnderstood(f"no volatility at expiry {expiry} and strike {strike}")
        options.append((expiry, Option(strike, is_call, record.big_integer("amount"), volatilities[expiry, strike])))
        ids.append({"sub_id": exactly(option_id(expiry, strike, is_call))})
    order = dict.fromkeys([*(expiry for expiry, _ in options), *records])
    seconds: list[Tree] = [{"sec_to_expiry": exactly(max(expiry - now, 0))} for expiry in records]
    return Holdings(
        expiries=tuple(
            HeldExpiry(records[at], at, max(at - now, 0), tuple(option for expiry, option in options if expiry == at))
            for at in order
        ),
        options=tuple(options),
        listed=tuple(records),
        checked={"expiries": seconds, "options": ids},
    )


def upstream(case: Case, outputs: Mapping[str, Tree]) -> dict[str, Tree]:
    """Return outputs by the names under which the protocol's own tests expect them, some truncated to whole units."""
    if case.is_null("upstream_expected"):
        return {}
    names = ("initial_margin", "maintenance_margin", "mark_to_market")
    expected: dict[str, Tree] = {}
    for name in names:
        ours = outputs[name]
        if isinstance(ours, Computed) and isinstance(ours.value, int):
            expected[name] = ours
            whole = abs(ours.value) // WAD
            expected[f"{name}_truncated_to_integer"] = exactly(whole if ours.value >= 0 else -whole)
    return {"upstream_expected": expected}


def near(value_wad: int, notional_wad: int) -> Computed:
    """Return an amount that may differ by a share of the notional."""
    return Computed(value_wad, tolerance_wad(notional_wad))


def tolerance_wad(notional_wad: int) -> float:
    """Return how far an amount may be off."""
    return LEAST_TOLERANCE_WAD + NOTIONAL_TOLERANCE * notional_wad


def exactly(value: int) -> Computed:
    """Return an integer that must be equal."""
    return Computed(value, 0.0)
