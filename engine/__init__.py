"""The door of the engine: the public types, `calibrate` and `evaluate`; for books too large to hold, `price_market`
and `charge_blocks`.

Beside it, by name: `engine.explain` (why an account is asked what it is), `engine.matrix_margin` and `scenarios.matrix`
(what venues' matrices ask), `engine.presets` (measures of clearing houses), `engine.dynamics.drift` (two artefacts).

A pure computation: no chain, database, clock, socket or environment variable below this line.
"""

from engine.book import Collateral, Instruments, Kind, Positions
from engine.computation import evaluate, price_market
from engine.configuration import CalibrationSettings, ModelConfiguration
from engine.dynamics.calibration import Calibration
from engine.dynamics.fit import calibrate
from engine.dynamics.history import PriceHistory, RecentPrices, VolatilityHistory
from engine.dynamics.observations import BasisHistory, FundingHistory, Observations, RateHistory, RatioHistory
from engine.dynamics.surface_moves import SurfaceHistory, SurfaceMoves
from engine.errors import BadArtefact, EngineError, InvalidInput, NonFiniteResult, UnmodelledAccount
from engine.evaluation import COMPONENTS, AccountRequirements, Evaluation, Haircuts, MarketRatios
from engine.market import MarketState
from engine.streaming import AccountBlock, PricedMarket, charge_blocks
from engine.unmodelled import Unmodelled

__all__ = [
    "COMPONENTS",
    "AccountBlock",
    "AccountRequirements",
    "BadArtefact",
    "BasisHistory",
    "Calibration",
    "CalibrationSettings",
    "Collateral",
    "EngineError",
    "Evaluation",
    "FundingHistory",
    "Haircuts",
    "Instruments",
    "InvalidInput",
    "Kind",
    "MarketRatios",
    "MarketState",
    "ModelConfiguration",
    "NonFiniteResult",
    "Observations",
    "Positions",
    "PriceHistory",
    "PricedMarket",
    "RateHistory",
    "RatioHistory",
    "RecentPrices",
    "SurfaceHistory",
    "SurfaceMoves",
    "Unmodelled",
    "UnmodelledAccount",
    "VolatilityHistory",
    "calibrate",
    "charge_blocks",
    "evaluate",
    "price_market",
]
