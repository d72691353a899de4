"""The kinds of files that hold what was observed in markets, each with its evaluation; raw data is not in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.validation.truth.case import Case, Tree
from engine.validation.truth.matrix_backtest import matrix_backtest
from engine.validation.truth.stress_events import stress_event
from engine.validation.truth.surface_statistics import surface_statistic

MEASURED_KINDS: Mapping[str, Callable[[Case], Mapping[str, Tree]]] = {
    "deribit_matrix_backtest": matrix_backtest,
    "deribit_surface_stats": surface_statistic,
    "stress_events": stress_event,
}
