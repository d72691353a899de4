"""Portfolios whose whole decomposition is pinned: `python -m tests.golden_margins` writes the figures anew.

Each file of `tests/cases` holds a portfolio and what was printed for it on `tests.model_cases.small_calibration`. A
figure that moves is either a mistake or a change of the model, which the difference of the files then shows.
"""

from __future__ import annotations

import json
from pathlib import Path

from oracle.portfolio import parse_portfolio
from oracle.valuation.portfolio import portfolio_margin
from oracle.valuation.portfolio_past import Past
from tests import model_cases

CASES = Path(__file__).parent / "cases"
NOT_PINNED = ("calibration_hash", "assumptions")
"""Of no interest here: they change with words and versions."""


def computed(portfolio: dict) -> dict:
    """Return what is printed for a portfolio, as plain data."""
    past = Past("small calibration", model_cases.small_calibration())
    result = portfolio_margin(parse_portfolio(json.dumps(portfolio)), past, venues=True).to_json()
    return {name: value for name, value in json.loads(json.dumps(result)).items() if name not in NOT_PINNED}


def main() -> None:
    """Write every case's figures anew."""
    for path in sorted(CASES.glob("*.json")):
        portfolio = json.loads(path.read_text())["portfolio"]
        path.write_text(json.dumps({"portfolio": portfolio, "margin": computed(portfolio)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
