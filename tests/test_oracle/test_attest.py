"""The quorum: equal reports are signed, every difference is named, and too few signatures say who refused and why."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.attest import Attestor, collect, differences
from oracle.errors import Difference, EndpointUnavailable, NotEnoughSignatures, StorageFailure
from oracle.report import digest
from oracle.signer import recovered_address
from oracle.types import BlockStamp, MarginReport
from tests.posting_cases import DOMAIN, SIGNER_SET, STAMP, any_reports, margin, report, signers

pytestmark = pytest.mark.fast

REPORT = report(margin(1), margin(2))


def attestors(*own: MarginReport | Exception) -> list[Attestor]:
    """Return attestors that compute these reports, or fail with these errors."""

    def recompute(result: MarginReport | Exception, _: BlockStamp, __: bool) -> MarginReport:
        if isinstance(result, Exception):
            raise result
        return result

    return [Attestor(signer, partial(recompute, result)) for signer, result in zip(signers(), own, strict=False)]


def test_equal_reports_are_signed_in_the_order_of_the_signers() -> None:
    for needed in (1, 2, 3):
        signatures = collect(REPORT, STAMP, list(reversed(attestors(REPORT, REPORT, REPORT))), needed)
        assert len(signatures) == needed
        assert [each.signer for each in signatures] == sorted(
            (each.signer for each in signatures), key=lambda address: int(address, 16)
        )
        assert {recovered_address(digest(REPORT, DOMAIN), each) for each in signatures} <= set(SIGNER_SET.signers)


def test_one_who_differs_is_passed_over() -> None:
    other = replace(REPORT, model_hash=bytes(32))
    signatures = collect(REPORT, STAMP, attestors(other, REPORT, REPORT), 2)
    assert [each.signer for each in signatures] == list(SIGNER_SET.signers[1:])


def test_too_few_say_who_refused_and_why() -> None:
    with pytest.raises(NotEnoughSignatures) as caught:
        collect(
            REPORT,
            STAMP,
            attestors(replace(REPORT, sequence=9), REPORT, EndpointUnavailable("no endpoint gave an answer")),
            2,
        )
    message = str(caught.value)
    assert message.startswith("1 of 2 signatures for sequence 8; ")
    assert f"{SIGNER_SET.signers[0]}: 1 fields differ: sequence: 8, own 9" in message
    assert f"{SIGNER_SET.signers[2]}: no endpoint gave an answer" in message


def test_what_a_signer_never_signs_is_a_refusal() -> None:
    absurd = report(margin(initial=10**7))
    with pytest.raises(NotEnoughSignatures, match="initial_long_ppm is 10000000"):
        collect(absurd, STAMP, attestors(absurd), 1)


def test_a_fatal_error_is_not_a_refusal() -> None:
    with pytest.raises(StorageFailure):
        collect(REPORT, STAMP, attestors(StorageFailure("disk full")), 1)


def test_an_attestor_computes_from_the_block_alone() -> None:
    seen: list[tuple[BlockStamp, bool]] = []

    def recompute(stamp: BlockStamp, exceeds_step: bool) -> MarginReport:
        seen.append((stamp, exceeds_step))
        return replace(REPORT, exceeds_step=exceeds_step)

    for exceeds_step in (False, True):
        Attestor(signers()[0], recompute).attest(replace(REPORT, exceeds_step=exceeds_step), STAMP)
    assert seen == [(STAMP, False), (STAMP, True)]


def test_a_report_of_another_block_is_not_even_computed() -> None:
    with pytest.raises(Difference, match="refers to block 100, not to block 101"):
        attestors(AssertionError("not reached"))[0].attest(REPORT, replace(STAMP, number=101))


@given(any_reports(), st.data())
def test_every_difference_is_named_with_both_values(subject: MarginReport, data: st.DataObject) -> None:
    assert differences(subject, subject) == ()
    field = data.draw(st.sampled_from([field.name for field in fields(subject) if field.name != "markets"]))
    value: Any = getattr(subject, field)
    other: Any = (
        bytes(b ^ 1 for b in value) if isinstance(value, bytes) else not value if field == "exceeds_step" else value ^ 1
    )
    changed: dict[str, Any] = {field: other}
    (named,) = differences(subject, replace(subject, **changed))
    assert named.startswith(f"{field}: ")
    for shown in (value, other):
        assert (shown.hex() if isinstance(shown, bytes) else str(shown)) in named


def test_markets_are_compared_by_id_and_field() -> None:
    own = replace(REPORT, markets=(replace(margin(1), slope_short_ppm=4_999), margin(3)))
    assert differences(REPORT, own) == (
        "market 1 slope_short_ppm: 5000, own 4999",
        "market 2: not in the own one",
        "market 3: not in the report",
    )
    swapped = replace(REPORT, markets=(margin(2), margin(1)))
    assert differences(REPORT, swapped) == ("markets: same tuples in another order",)
