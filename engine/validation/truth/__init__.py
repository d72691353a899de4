"""Published figures against our code: one evaluation a kind of file, the kind being the file's name.

An evaluation reads a case's inputs and returns our values of its expected fields. It does not see what is expected,
except where published figures are held against each other: then one is an input for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from engine.errors import EngineError
from engine.validation.truth.case import Case, NotUnderstood, Tree
from engine.validation.truth.comparison import Comparison
from engine.validation.truth.garch import garch_fit
from engine.validation.truth.matrices import matrix_case
from engine.validation.truth.measured_kinds import MEASURED_KINDS
from engine.validation.truth.mills import mills_coefficients
from engine.validation.truth.pricing import european, exchange, merton_jumps, perpetual
from engine.validation.truth.quantiles import quantile_confidence
from engine.validation.truth.risk_measures import lognormal, risk_measure
from engine.validation.truth.rule_kinds import RULE_KINDS
from engine.validation.truth.svi import svi_case

KINDS: Mapping[str, Callable[[Case], Mapping[str, Tree]]] = {
    "garch": garch_fit,
    "lognormal_es": lognormal,
    "matrices": matrix_case,
    "mills": mills_coefficients,
    "pricing_haug": european,
    "pricing_margrabe": exchange,
    "pricing_merton76": merton_jumps,
    "pricing_perps_ahj": perpetual,
    "quantile_confidence": quantile_confidence,
    "risk_measures_closed_form": risk_measure,
    "svi": svi_case,
    **MEASURED_KINDS,
    **RULE_KINDS,
}


class Status(Enum):
    """What became of a case."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_COVERED = "not_covered"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: its name and status, the difference or the reason when it did not pass, what is not compared if it did.

    `closest` is the comparison that needed most of its tolerance.
    """

    name: str
    status: Status
    detail: str = ""
    closest: Comparison | None = None


def evaluate_document(kind: str, document: object, beside: Mapping[str, object] | None = None) -> list[Outcome]:
    """Return the outcome of each case of a file.

    Parameters
    ----------
    kind : str
        The file's name without ending; one of `KINDS`, else every case is not covered.
    document : object
        The parsed JSON: an object with a list `cases`, or one case a key (then the key names it).
    beside : mapping, optional
        The documents of the same folder by kind; some measured results rest on those of another file.

    Returns
    -------
    list of Outcome
        In the order of the file; a case that our code refuses or does not understand is not covered, with the reason.
    """
    evaluate = KINDS.get(kind)
    shared = document if isinstance(document, Mapping) else {}
    return [_outcome(evaluate, name, fields, shared, beside) for name, fields in _cases(document)]


def _outcome(
    evaluate: Callable[[Case], Mapping[str, Tree]] | None,
    name: str,
    fields: object,
    shared: Mapping[str, object],
    beside: Mapping[str, object] | None,
) -> Outcome:
    if evaluate is None:
        return Outcome(name, Status.NOT_COVERED, "no evaluation for this kind of file")
    if not isinstance(fields, Mapping):
        return Outcome(name, Status.NOT_COVERED, "not an object")
    case = Case(fields, shared, beside=beside)
    try:
        comparisons = case.comparisons(evaluate(case))
    except NotUnderstood as reason:
        return Outcome(name, Status.NOT_COVERED, str(reason))
    except (EngineError, ArithmeticError) as refusal:
        return Outcome(name, Status.NOT_COVERED, f"refused: {refusal}")
    except (ValueError, TypeError, LookupError, MemoryError) as error:
        return Outcome(name, Status.NOT_COVERED, f"the evaluation broke off: {type(error).__name__}: {error}")
    failures = [one.failure for one in comparisons if one.failure]
    closest = max(comparisons, key=lambda one: one.share)
    if failures:
        return Outcome(name, Status.FAILED, "; ".join(failures), closest)
    remarks = f"not compared: {', '.join(case.remarks)}" if case.remarks else ""
    return Outcome(name, Status.PASSED, remarks, closest)


def _cases(document: object) -> list[tuple[str, object]]:
    if not isinstance(document, Mapping):
        return [("(the file)", document)]
    cases = document.get("cases")
    if isinstance(cases, Sequence) and not isinstance(cases, str):
        return [(_name(fields, number), fields) for number, fields in enumerate(cases, start=1)]
    return [(str(name), fields) for name, fields in document.items()]


def _name(fields: object, number: int) -> str:
    named = fields if isinstance(fields, Mapping) else {}
    return str(named.get("id", named.get("name", f"case {number}")))
