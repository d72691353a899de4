"""What an explanation holds: a requirement taken apart by component, leg, underlying and scenario."""

from __future__ import annotations

from dataclasses import dataclass

from engine.scenario_losses import ScenarioLoss


@dataclass(frozen=True, slots=True)
class Leg:
    """One position, or one token of collateral.

    Attributes
    ----------
    instrument : int
        Index into `Instruments`.
    is_token : bool
    value_usd : float
        Worth now by the engine's own formulae, on the surface as quoted.
    alone_usd : float
        Requirement of an account with this position and nothing else; of a token, its haircut value.
    share_usd : float
        Its part of the model's loss: mean loss over the scenarios that make the binding tail, or its loss in the worst
        stress where that binds. Negative for a hedge; 0 for a token that is charged its haircut instead. The shares of
        all legs add up to `Horizon.shared_usd`.
    """

    instrument: int
    is_token: bool
    value_usd: float
    alone_usd: float
    share_usd: float


@dataclass(frozen=True, slots=True)
class UnderlyingPart:
    """The part of an account in one underlying, USD, tokens included where they are simulated with the positions.

    `alone_usd` is its model loss at the full bound (what gross sums up), `charge_factor` what turned its tail into what
    is charged, `net_usd` the notional of its legs with their signs, `size_usd` what liquidity is charged on.
    """

    underlying: int
    alone_usd: float
    charge_factor: float
    net_usd: float
    size_usd: float
    liquidity_usd: float
    concentration_usd: float
    funding_usd: float


@dataclass(frozen=True, slots=True)
class Horizon:
    """A requirement at one horizon, taken apart.

    Attributes
    ----------
    hours : int
    required_usd : float
        As `evaluate` gives it.
    components : tuple of (str, float)
        The lines of `engine.explain` in their order; they add up to `required_usd`.
    model_binding : str
        The set or list that gave the model loss, an entry of `COMPONENTS`.
    binding : str
        What binds the requirement, an entry of `COMPONENTS`.
    shared_usd : float
        Loss that the legs' shares add up to: point estimate over the binding set, or the worst weighted stress.
    legs : tuple of Leg
        Positions by instrument, then tokens.
    underlyings : tuple of UnderlyingPart
    worst : tuple of ScenarioLoss
        Largest counted loss first.
    """

    hours: int
    required_usd: float
    components: tuple[tuple[str, float], ...]
    model_binding: str
    binding: str
    shared_usd: float
    legs: tuple[Leg, ...]
    underlyings: tuple[UnderlyingPart, ...]
    worst: tuple[ScenarioLoss, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Both requirements of one account."""

    initial: Horizon
    maintenance: Horizon
    stress_unweighted_usd: float
    assumptions: tuple[str, ...]
