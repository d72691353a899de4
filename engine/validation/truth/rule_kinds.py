"""The kinds of files that hold rules of venues and of regulation, each with its evaluation by `engine.rules`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.validation.truth.backtests import backtest_case
from engine.validation.truth.case import Case, Tree
from engine.validation.truth.deribit import deribit_case
from engine.validation.truth.derive_pmrm import portfolio_margin
from engine.validation.truth.derive_srm import standard_margin
from engine.validation.truth.onchain import onchain_case
from engine.validation.truth.regulation import regulatory_case
from engine.validation.truth.simm import fx_delta
from engine.validation.truth.venues import venue_case

RULE_KINDS: Mapping[str, Callable[[Case], Mapping[str, Tree]]] = {
    "backtests": backtest_case,
    "deribit_pm": deribit_case,
    "derive_pmrm_vectors": portfolio_margin,
    "derive_srm_vectors": standard_margin,
    "onchain_margin_rules": onchain_case,
    "regulatory_rules": regulatory_case,
    "simm_fx_delta": fx_delta,
    "venue_rules": venue_case,
}
