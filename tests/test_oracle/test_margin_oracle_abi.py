"""The typed views of MarginOracle ask what the ABI knows and return what they are annotated with."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import pytest
from eth_abi.abi import encode

from oracle.chain import margin_oracle
from oracle.chain.contract import load_artefact
from oracle.chain.margin_oracle import AccountLeaf, MarginOracle, MarketMargin, Purpose, Report

pytestmark = pytest.mark.fast

ARTEFACT = load_artefact("MarginOracle")
VIEWS = {
    entry["name"]: entry
    for entry in ARTEFACT.abi
    if entry["type"] == "function" and entry["stateMutability"] in ("view", "pure")
}
SAMPLES: dict[Any, Any] = {
    int: 7,
    bool: True,
    bytes: bytes(range(32)),
    tuple[bytes, ...]: (bytes(32),),
    str: "0x" + "11" * 20,
    Purpose: Purpose.LIQUIDATING,
    AccountLeaf: AccountLeaf(bytes(32), 1, 2, 3, 4),
    Report: Report(1, 2, 3, bytes(32), 4, 5, bytes(32), bytes(32), bytes(32), 6, True, (MarketMargin(*range(7)),)),
}


def solidity_type(field: dict[str, Any]) -> str:
    kind: str = field["type"]
    inner = ",".join(solidity_type(part) for part in field.get("components", ()))
    return kind.replace("tuple", f"({inner})")


def answer(field: dict[str, Any]) -> Any:
    """Return a value of a field's type in which no two neighbours are equal."""
    kind: str = field["type"]
    if kind.endswith("[]"):
        return [answer({**field, "type": kind[:-2]})]
    if kind == "tuple":
        return tuple(answer(part) for part in field["components"])
    if kind == "bool":
        return True
    if kind == "string":
        return field["name"]
    if kind == "address":
        return SAMPLES[str]
    if kind.startswith("bytes"):
        return bytes(int(kind.removeprefix("bytes") or 3))
    return 1 if field["internalType"].startswith("enum") else sum(map(ord, field["name"])) % 251


class Answers:
    """Encodes each question and decodes an answer by the artefact, as a contract would."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, function: str, *arguments: Any) -> Any:
        self.asked.append(function)
        ARTEFACT.interface.encode(function, *arguments)
        outputs = VIEWS[function]["outputs"]
        data = encode([solidity_type(field) for field in outputs], [answer(field) for field in outputs])
        return ARTEFACT.interface.decode(function, data)


def hints(callable_or_class: Any) -> dict[str, Any]:
    return typing.get_type_hints(callable_or_class, vars(margin_oracle))


def require_typed(value: Any, annotation: Any) -> None:
    """Fail where a value, at any depth, is not of exactly the annotated class."""
    if typing.get_origin(annotation) is tuple:
        for item in value:
            require_typed(item, typing.get_args(annotation)[0])
        return
    assert type(value) is annotation, f"{value!r} is no {annotation}"
    for name, part in hints(annotation).items() if hasattr(annotation, "_fields") else ():
        require_typed(getattr(value, name), part)


def methods() -> list[str]:
    return [name for name, _ in inspect.getmembers(MarginOracle, inspect.isfunction) if not name.startswith("_")]


def test_each_view_has_its_method() -> None:
    answers = Answers()
    client = MarginOracle(answers)
    for name in methods():
        annotations = hints(getattr(MarginOracle, name))
        returned = annotations.pop("return")
        result = getattr(client, name)(*(SAMPLES[annotation] for annotation in annotations.values()))
        require_typed(result, returned)
    assert sorted(answers.asked) == sorted(VIEWS.keys() - {"renounceOwnership"})


def test_fields_are_the_contract_s_in_its_order() -> None:
    config = MarginOracle(Answers()).market_config(1)
    outputs = VIEWS["marketConfig"]["outputs"][0]["components"]
    assert [name.replace("_", "") for name in config._fields] == [part["name"].lower() for part in outputs]
    assert config.slope.fall_hourly == answer({"name": "fallHourly", "type": "uint32", "internalType": "uint32"})


def test_enumerations_keep_the_contract_s_order() -> None:
    assert (Purpose.OPENING, Purpose.LIQUIDATING) == (0, 1)
    assert [member.name for member in margin_oracle.BlockHashSource] == ["EVM", "EIP2935", "ARB_SYS"]
    assert margin_oracle.Refusal.RISE_TOO_SOON == 8
