"""Evaluations of published GARCH fits, on a series of the file or on one that comes with the package `arch`."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.validation.garch import GarchFit, GarchModel, Innovation, Start, fit_garch, robust_errors
from engine.validation.truth.case import Case, Computed, NotUnderstood, Tree

Vector = NDArray[np.float64]

PRINTED = 1e-6
"""Absolute: published tables give parameters to six decimals, and a parameter on its bound is 0 or next to it."""

STARTS: Mapping[str, Start] = {
    "h(0)=e(0)^2=SSR(current mu)/T": Start.RESIDUALS,
    "h(0)=e(0)^2=SSR(OLS)/T": Start.SAMPLE,
    "h(0)=e(0)^2=omega steady state": Start.STEADY,
}
INNOVATIONS: Mapping[str, Innovation] = {
    "normal": Innovation.NORMAL, "StudentsT": Innovation.STUDENT, "skewt": Innovation.SKEWED_STUDENT
}  # fmt: skip


def garch_fit(case: Case) -> Mapping[str, Tree]:
    """Evaluate a fit: of the file's series when the case names no data; robust errors when it expects these."""
    if "data" in case:
        return _named_series(case)
    returns = np.array(case.shared_numbers("data_"))
    if "robust_se" in case:
        errors = robust_errors(returns, fit_garch(returns, GarchModel(start=Start.RESIDUALS)))
        return {"robust_se": _parameters(errors)}
    fit = fit_garch(returns, GarchModel(start=_start(case)))
    return {"expected": {**_parameters(fit.parameters), "loglik": Computed(fit.log_likelihood)}}


def _start(case: Case) -> Start:
    text = case.word("init")
    if re.fullmatch(r"arch [\d.]+ default backcast", text):
        return Start.BACKCAST
    if text not in STARTS:
        raise NotUnderstood(f"init {text!r} is not known")
    return STARTS[text]


def _named_series(case: Case) -> Mapping[str, Tree]:
    returns = _series(case.word("data"))
    fit = fit_garch(returns, _model(case.record("model")))
    expected: dict[str, Tree] = {
        "params": _parameters(_names_of_arch(fit)),
        "loglik": Computed(fit.log_likelihood),
        "next_day_variance": Computed(fit.next_variance),
    }
    return {"n": Computed(returns.size), "expected": expected}


def _model(asked: Case) -> GarchModel:
    if asked.integer("p") != 1 or asked.integer("q") != 1 or (leverage := asked.integer("o")) not in (0, 1):
        raise NotUnderstood("only p = q = 1 with o = 0 or 1 is fitted")
    name = asked.word("dist", *INNOVATIONS) if "dist" in asked else "normal"
    return GarchModel(bool(leverage), INNOVATIONS[name])


def _names_of_arch(fit: GarchFit) -> dict[str, float]:
    return {f"{name}[1]" if name in ("alpha", "gamma", "beta") else name: v for name, v in fit.parameters.items()}


def _parameters(values: Mapping[str, float]) -> dict[str, Tree]:
    return {name: Computed(value, PRINTED) for name, value in values.items()}


def _series(text: str) -> Vector:
    """Read "arch.data.NAME COLUMN YEAR-YEAR, 100*pct_change" from the files of the installed package."""
    match = re.fullmatch(r"arch\.data\.(\w+) (.+) (\d{4})-(\d{4}), 100\*pct_change", text)
    if match is None:
        raise NotUnderstood(f"data {text!r} is not of the known form")
    name, column, first, last = match.groups()
    try:
        path = Path(str(metadata.distribution("arch").locate_file(f"arch/data/{name}/{name}.csv.gz")))
    except metadata.PackageNotFoundError:
        raise NotUnderstood(f"{text!r} comes with the package arch: run scripts/setup --dev") from None
    if not path.is_file():
        raise NotUnderstood(f"the installed arch has no data {name}")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if first <= row["Date"][-4:] <= last]
    if len(rows) < 2 or column not in rows[0]:
        raise NotUnderstood(f"{path.name} has no column {column!r} with days of {first} to {last}")
    price = np.array([float(row[column]) for row in rows])
    returns: Vector = 100.0 * (price[1:] / price[:-1] - 1.0)
    return returns
