"""Writes the Python module that gives the views of a contract their types.

What a function takes and returns is in the ABI, what it says of itself in the NatSpec that the compiler writes out;
the names of an enumeration's members are in neither and come from the source.
"""

from __future__ import annotations

import builtins
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH = 120
NO_VIEWS = frozenset({"renounceOwnership"})
"""Views only because they always revert."""

HEADER = '''"""The views of {name}, typed; units and meaning are those of `I{name}`.

Written by `scripts/contracts build` from the compiled contract; not edited by hand.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple, Protocol


class Reading(Protocol):
    """Answers a view at some block: `partial(contract.call, stamp)`, `partial(agreed_read, contract, stamp)`."""

    def __call__(self, function: str, *arguments: Any) -> Any: ...
'''

CLIENT = '''class {name}:
    """The views of {name}, one method each.

    Parameters
    ----------
    read : Reading
        Its errors pass through.
    """

    def __init__(self, read: Reading) -> None:
        self._read = read
'''


def typed_module(name: str, built: Mapping[str, Any], source: str) -> str:
    """Return the module's text, formatted as the project's formatter would.

    Parameters
    ----------
    name : str
        Of the contract.
    built : mapping
        The compiler's output for it: `abi`, and `metadata.output.userdoc`.
    source : str
        The Solidity text in which its enumerations are declared.
    """
    views = [entry for entry in built["abi"] if _is_view(entry)]
    structs = {}
    for side in ("inputs", "outputs"):
        for field in _nested([field for view in views for field in view[side]]):
            if field["type"].startswith("tuple"):
                title = _name(field)
                docstring = f"Struct `{title}` of the contract."
                structs[title] = _struct(title, docstring, field["components"], is_returned=side == "outputs")
    for view in views:
        if len(view["outputs"]) > 1:
            title = _of_outputs(view)
            structs[title] = _struct(title, f"What `{view['name']}` returns.", view["outputs"], is_returned=True)
    notices = built["metadata"]["output"]["userdoc"].get("methods", {})
    methods = [_method(view, notices.get(_signature(view), {}).get("notice", "")) for view in views]
    enumerations = [_enumeration(title, members) for title, members in _enumerations(source)]
    client = "\n".join([CLIENT.format(name=name), *methods])
    return "\n\n".join(
        [HEADER.format(name=name), *enumerations, *(structs[title] for title in sorted(structs)), client]
    )


def _is_view(entry: Mapping[str, Any]) -> bool:
    if entry["type"] != "function" or entry["name"] in NO_VIEWS:
        return False
    return entry["stateMutability"] in ("view", "pure")


def _enumerations(source: str) -> Iterator[tuple[str, list[str]]]:
    bare = re.sub(r"//[^\n]*", "", source)
    for title, body in re.findall(r"\benum (\w+) \{([^}]*)\}", bare):
        yield title, [member.strip() for member in body.split(",")]


def _enumeration(title: str, members: Sequence[str]) -> str:
    lines = [f"    {_snake(member).upper()} = {value}" for value, member in enumerate(members)]
    return "\n".join([f"class {title}(IntEnum):", f'    """Enumeration `{title}` of the contract."""', "", *lines, ""])


def _struct(title: str, docstring: str, components: Sequence[Mapping[str, Any]], is_returned: bool) -> str:
    lines = [f"class {title}(NamedTuple):", f'    """{docstring}"""', ""]
    lines += [f"    {_snake(part['name'])}: {_type(part)}" for part in components]
    if is_returned and not _is_flat(components):
        values = [_value(f"value[{place}]", part) for place, part in enumerate(components)]
        returned = f"        return cls({', '.join(values)})"
        lines += ["", "    @classmethod", f"    def of(cls, value: Any) -> {title}:"]
        lines += ['        """Give a decoded tuple its types."""']
        lines += [returned] if len(returned) <= WIDTH else _spread("        return cls(", values, "        )")
    return "\n".join([*lines, ""])


def _method(view: Mapping[str, Any], notice: str) -> str:
    inputs = ["self", *(f"{_argument(field)}: {_type(field)}" for field in view["inputs"])]
    outputs = view["outputs"]
    arguments = [f'"{view["name"]}"', *map(_argument, view["inputs"])]
    read = f"self._read({', '.join(arguments)})"
    returned, statement = "None", read
    if len(outputs) > 1:
        returned = _of_outputs(view)
        statement = f"return {_built(returned, outputs, read)}"
    elif outputs:
        returned = _type(outputs[0])
        # A plain value is decoded as what it is: the call says so to the type checker alone.
        value = f"{returned}({read})" if _is_plain(outputs[0]) else _value(read, outputs[0])
        statement = f"return {value}"
    heading = f"    def {_snake(view['name'])}({', '.join(inputs)}) -> {returned}:"
    docstring = _docstring(notice or f"`{view['name']}` of the contract.")
    return "\n".join([heading, *docstring, f"        {statement}", ""])


def _docstring(notice: str) -> list[str]:
    indent, quotes = " " * 8, '"""'
    lines = textwrap.wrap(quotes + " ".join(notice.split()), WIDTH, initial_indent=indent, subsequent_indent=indent)
    if len(lines) == 1 and len(lines[0]) + len(quotes) <= WIDTH:
        return [lines[0] + quotes]
    return [*lines, indent + quotes]


def _spread(opening: str, values: Sequence[str], closing: str) -> list[str]:
    return [opening, *(f"            {value}," for value in values), closing]


def _nested(fields: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for field in fields:
        yield field
        yield from _nested(field.get("components", ()))


def _is_plain(field: Mapping[str, Any]) -> bool:
    return not field["type"].startswith("tuple") and not field["internalType"].startswith("enum ")


def _is_flat(components: Sequence[Mapping[str, Any]]) -> bool:
    return all(_is_plain(part) for part in components)


def _value(expression: str, field: Mapping[str, Any]) -> str:
    """Return the expression that gives a decoded value its type."""
    if _is_plain(field):
        return expression
    if field["type"].endswith("[]"):
        return f"tuple({_built(_name(field), field['components'], 'one')} for one in {expression})"
    if field["type"] == "tuple":
        return _built(_name(field), field["components"], expression)
    return f"{_name(field)}({expression})"


def _built(title: str, components: Sequence[Mapping[str, Any]], expression: str) -> str:
    return f"{title}(*{expression})" if _is_flat(components) else f"{title}.of({expression})"


def _type(field: Mapping[str, Any]) -> str:
    kind = field["type"]
    if kind.endswith("[]"):
        return f"tuple[{_type({**field, 'type': kind[:-2]})}, ...]"
    if not _is_plain(field):
        return _name(field)
    if kind.startswith(("uint", "int")):
        return "int"
    return {"bool": "bool", "address": "str", "string": "str"}.get(kind, "bytes")


def _name(field: Mapping[str, Any]) -> str:
    internal: str = field["internalType"]
    return internal.removesuffix("[]").rpartition(".")[2]


def _argument(field: Mapping[str, Any]) -> str:
    name = _snake(field["name"])
    return f"{name}_" if hasattr(builtins, name) else name


def _of_outputs(view: Mapping[str, Any]) -> str:
    name: str = view["name"]
    return name[0].upper() + name[1:]


def _signature(view: Mapping[str, Any]) -> str:
    return f"{view['name']}({','.join(_canonical(field) for field in view['inputs'])})"


def _canonical(field: Mapping[str, Any]) -> str:
    kind: str = field["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_canonical(part) for part in field['components'])}){kind.removeprefix('tuple')}"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
