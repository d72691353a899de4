"""`scripts/truth`: own worked examples pass, a wrong figure fails, what is not understood is never passed.

Runs over ../shared/truth too when it is there; without it that one test is skipped, aloud.
"""

from __future__ import annotations

import copy
import gzip
import json
import math
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from engine.validation.truth import KINDS, Status, evaluate_document
from engine.validation.truth.__main__ import main
from engine.validation.truth.measured_kinds import MEASURED_KINDS
from engine.validation.truth.rule_kinds import RULE_KINDS

pytestmark = pytest.mark.fast

SHARED_TRUTH = Path(__file__).resolve().parents[2] / "shared" / "truth"

CONTRADICTORY = {"simm_fx_delta": 1}
"""Cases that fail openly: `simm25_C68` asks for no margin on -50 million of EUR alone, where the file's own formula and
its case C74 ask for the weight times the sensitivity. Its source nets +50 and -50 million of EUR to zero; a table by
currency keeps only the second (`test_rules_simm` holds our rule to the source's own inputs)."""

LOG_LIKELIHOOD_OF_SIGNS = -100.0 * (math.log(2.0 * math.pi) + 1.0)

# One worked example a kind; the figures can be checked by hand or in the book named.
EXAMPLES = {
    "pricing_haug": {
        "type": "call", "strike": 65.0, "spot": 60.0, "carry_yield_q": 0.0, "rate_r": 0.08, "T_years": 0.25,
        "vol": 0.3, "expected": 2.1334, "abs_tol": 1e-4, "source": "Haug 1998, page 2",
    },
    "pricing_merton76": {
        "type": "call", "strike": 100.0, "spot": 100.0, "q": 0.0, "r": 0.0, "T_years": 1.0, "total_vol": 0.2,
        "jump_intensity": 1.0, "gamma_share_of_variance_from_jumps": 0.0, "expected": 7.965567455405804,
        "source": "no jumps: 100 (2 N(0.1) - 1)",
    },
    "pricing_margrabe": {
        "s1": 22.0, "s2": 20.0, "q1": 0.06, "q2": 0.04, "r": 0.1, "T_years": 0.1, "vol1": 0.2, "vol2": 0.2,
        "rho": 0.0, "expected": 2.091, "delta1": 0.857, "delta2": -0.838, "abs_tol": 0.00101,
    },
    "pricing_perps_ahj": {
        "payoff": "linear", "funding_spot": "current", "funding_period_years": 0, "spot": 100.0, "r": 0.04,
        "q_asset_yield": 0.02, "funding_rate_k": 0.2, "interest_diff": 0.02, "expected": 100.0,
    },
    "risk_measures_closed_form": {"kind": "tail_dependence", "nu": 4, "rho": 1.0, "expected": 1.0},
    "lognormal_es": {
        "position": "short", "mu": 0.0, "sigma": 0.1, "tail": 0.01, "expected_var": 1.2619205259, "abs_tol": 1e-7,
    },
    "quantile_confidence": {"quantile": 0.95, "confidence": 0.95, "order_from_top": 2, "expected_min_n": 93},
    "svi": {
        "k": 0.0, "raw": {"a": 0.01, "b": 0.1, "rho": -0.5, "m": 0.0, "sigma": 0.3}, "forward": 100.0, "T_years": 1.0,
        "expected_total_variance": 0.04,
    },
    "matrices": {
        "input": [[1.0, 2.0], [2.0, 1.0]], "expected": [[1.0, 1.0], [1.0, 1.0]],
        "method": "spectral: clip eigenvalues at 0, renormalise rows to unit diagonal",
    },
    "garch": {
        "init": "h(0)=e(0)^2=SSR(OLS)/T", "expected": {"mu": 0.0, "loglik": LOG_LIKELIHOOD_OF_SIGNS},
        "abs_tol": 1e-3,
    },
    "mills": {"p": [0.5], "q": [1.0], "err": 0.978},
}  # fmt: skip

# What a file states once for all its cases. Plus and minus one in turn: squares say nothing, the variance is 1.
SHARED = {"garch": {"data_signs": [1.0, -1.0] * 100}}


def outcome(file_kind: str, /, **change: object):
    (found,) = evaluate_document(file_kind, {**SHARED.get(file_kind, {}), "cases": [{**EXAMPLES[file_kind], **change}]})
    return found


def expected_field(kind: str) -> str:
    return next(field for field in EXAMPLES[kind] if field.startswith("expected"))


def spoiled(value):
    """The same with every number in it wrong."""
    if isinstance(value, dict):
        return {name: spoiled(part) for name, part in value.items()}
    return [spoiled(part) for part in value] if isinstance(value, list) else value * 1.01 + 0.001


MILLS = "mills"
CASED = sorted(set(EXAMPLES) - {MILLS})


def test_every_kind_has_an_example():
    elsewhere = set(RULE_KINDS) | set(MEASURED_KINDS)  # in test_truth_rules and test_truth_measured
    assert set(EXAMPLES) == set(KINDS) - elsewhere


@pytest.mark.parametrize("kind", CASED)
def test_the_example_passes_and_a_wrong_figure_fails(kind):
    field = expected_field(kind)
    assert outcome(kind).status is Status.PASSED
    wrong = outcome(kind, **{field: spoiled(EXAMPLES[kind][field])})
    assert wrong.status is Status.FAILED
    assert field in wrong.detail


@pytest.mark.parametrize("kind", CASED)
def test_an_input_without_meaning_is_not_covered(kind):
    assert outcome(kind, dividend_dates=[0.1]).status is Status.NOT_COVERED
    first = next(iter(EXAMPLES[kind]))
    assert outcome(kind, **{first: "unheard of"}).status is Status.NOT_COVERED


@pytest.mark.parametrize("kind", CASED)
def test_without_expectation_a_case_is_not_covered(kind):
    bare = copy.copy(EXAMPLES[kind])
    for field in [name for name in bare if name.startswith(("expected", "delta"))]:
        del bare[field]
    (found,) = evaluate_document(kind, {**SHARED.get(kind, {}), "cases": [bare]})
    assert found.status is Status.NOT_COVERED


def test_default_tolerance_is_1e9_relative():
    exact = EXAMPLES["pricing_merton76"]["expected"]
    assert outcome("pricing_merton76", expected=exact * (1.0 + 5e-10)).status is Status.PASSED
    assert outcome("pricing_merton76", expected=exact * (1.0 + 2e-9)).status is Status.FAILED
    assert outcome("pricing_merton76", expected=exact * 1.05, rel_tol=0.06).status is Status.PASSED


def test_refused_inputs_are_not_covered():
    refused = outcome("pricing_haug", vol=-0.3)
    assert refused.status is Status.NOT_COVERED
    assert "refused" in refused.detail


def test_mills_error_is_measured():
    document = {"0": EXAMPLES[MILLS]}
    (found,) = evaluate_document(MILLS, document)
    assert found.status is Status.FAILED  # a constant 1/2 is wrong by a factor of tens in the tail
    largest = 0.5 * 37.5 * (2.0 * 3.141592653589793) ** 0.5 * (1.0 + 1.0 / 37.5**2) - 1.0
    (found,) = evaluate_document(MILLS, {"0": {**EXAMPLES[MILLS], "err": largest}})
    assert found.status is Status.PASSED


@pytest.mark.parametrize(
    "formula", ["0.5*gamma*u^2, gamma=2, u~N(0,9)", "delta*u + 0.5*gamma*u^2 with delta=0, gamma=2, var(u)=9"]
)
def test_delta_gamma_formulas_are_parsed(formula):
    case = {"kind": "delta_gamma", "pnl": formula, "level": 0.99, "expected_var": 59.714069409190916, "rel_tol": 1e-8}
    (found,) = evaluate_document("risk_measures_closed_form", {"cases": [case]})
    assert found.status is Status.PASSED
    (other,) = evaluate_document("risk_measures_closed_form", {"cases": [{**case, "pnl": formula.replace("^2", "^3")}]})
    assert other.status is Status.NOT_COVERED


def has_arch() -> bool:
    """Whether the package is there that some published GARCH fits take their series from."""
    return any(True for _ in metadata.distributions(name="arch"))


@pytest.mark.parametrize(
    "data", ["arch.data.nothing Adj Close 1999-2018, 100*pct_change", "arch.data.sp500 Adj Close", "a spreadsheet"]
)
def test_series_that_are_not_there_are_not_covered(data):
    case = {"data": data, "model": {"p": 1, "o": 0, "q": 1}, "expected": {"loglik": 0.0}}
    (found,) = evaluate_document("garch", {"cases": [case]})
    assert found.status is Status.NOT_COVERED


def test_a_series_of_an_installed_package_is_fitted(tmp_path, monkeypatch):
    """A package of that name made here: prices that rise and fall by 1 percent in turn."""
    data = tmp_path / "arch" / "data" / "toy"
    data.mkdir(parents=True)
    prices = 100.0 * np.cumprod(np.append(1.0, 1.0 + 0.01 * np.array([1.0, -1.0] * 100)))
    rows = [f"1/4/{2000 + day // 50},{price!r}" for day, price in enumerate(prices.tolist())]
    with gzip.open(data / "toy.csv.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(["Date,Close", *rows]))
    (tmp_path / "arch-99.dist-info").mkdir()
    (tmp_path / "arch-99.dist-info" / "METADATA").write_text("Name: arch\nVersion: 99\n")
    monkeypatch.syspath_prepend(tmp_path)
    case = {
        "data": "arch.data.toy Close 2000-2003, 100*pct_change", "n": 199, "model": {"p": 1, "o": 0, "q": 1},
        "expected": {"params": {"mu": 0.0}, "next_day_variance": 1.0}, "abs_tol": 0.02,
    }  # fmt: skip
    (found,) = evaluate_document("garch", {"cases": [case]})
    assert found.status is Status.PASSED, found.detail
    (found,) = evaluate_document("garch", {"cases": [{**case, "n": 250}]})
    assert found.status is Status.FAILED


def write(directory: Path, kind: str, *cases: dict[str, object]) -> None:
    (directory / f"{kind}.json").write_text(json.dumps({"title": kind, "cases": list(cases)}))


def test_script_counts_and_exits_with_zero_when_nothing_failed(tmp_path, capsys):
    write(tmp_path, "pricing_haug", {"id": "known", **EXAMPLES["pricing_haug"]}, {"id": "strange", "colour": 1})
    write(tmp_path, "a_kind_of_tomorrow", {"id": "x"})
    assert main([str(tmp_path), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1]) == {
        "a_kind_of_tomorrow.json": {"passed": 0, "failed": 0, "not_covered": 1},
        "pricing_haug.json": {"passed": 1, "failed": 0, "not_covered": 1},
    }


def test_script_names_the_failing_case_and_exits_with_one(tmp_path, capsys):
    write(tmp_path, "pricing_haug", {"id": "mispriced", **EXAMPLES["pricing_haug"], "expected": 2.2})
    assert main([str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "failed mispriced" in printed
    assert "expected 2.2" in printed


def test_script_fails_on_a_file_that_is_not_json(tmp_path, capsys):
    (tmp_path / "pricing_haug.json").write_text('{"cases": [NaN]}')
    assert main([str(tmp_path)]) == 1
    assert "cannot be read" in capsys.readouterr().out


def test_script_fails_on_a_name_that_is_stated_twice(tmp_path, capsys):
    (tmp_path / "simm_fx_delta.json").write_text('{"cases": [{"net": {"EUR": 5, "EUR": -5}}]}')
    assert main([str(tmp_path)]) == 1
    assert "'EUR' is stated twice" in capsys.readouterr().out


def test_script_says_how_much_of_its_tolerance_each_file_needed(tmp_path, capsys):
    write(tmp_path, "pricing_haug", EXAMPLES["pricing_haug"], {**EXAMPLES["pricing_haug"], "expected": 2.1333})
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("absolute")
    write(tmp_path, "pricing_haug", {**EXAMPLES["pricing_haug"], "expected": 2.2})
    assert main([str(tmp_path)]) == 1
    assert "0.067 of 0.0001 absolute" in capsys.readouterr().out.splitlines()[1]


@pytest.mark.parametrize("text", ["", "[]", "3", '{"cases": 1}', '{"cases": [1, null, [], "x"]}', "\x00"])
def test_script_survives_whatever_a_file_holds(tmp_path, text, capsys):
    for kind in ("garch", "stress_events", "deribit_matrix_backtest"):
        (tmp_path / f"{kind}.json").write_text(text)
    assert main([str(tmp_path), "--json"]) in (0, 1)
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert all(counts["passed"] == 0 for counts in summary.values())


def test_script_refuses_a_folder_without_files(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "no JSON files" in capsys.readouterr().err


def test_published_figures(capsys):
    if not SHARED_TRUTH.is_dir():
        pytest.skip(f"NOT RUN: published figures are absent at {SHARED_TRUTH}")
    assert main([str(SHARED_TRUTH), "--json"]) == (1 if CONTRADICTORY else 0)
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    for kind in KINDS:
        counts = summary[f"{kind}.json"]
        assert counts["passed"] > 0
        assert counts["failed"] == CONTRADICTORY.get(kind, 0)
        assert counts["not_covered"] == 0 or (kind == "garch" and not has_arch())
