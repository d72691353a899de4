"""Integers with 18 decimals (wad) as Solidity contracts multiply and divide them: truncated toward zero."""

from __future__ import annotations

WAD = 10**18
"""One."""


def multiply_wad(first: int, second: int) -> int:
    """Return the product of two wads, truncated toward zero."""
    return _truncated_quotient(first * second, WAD)


def divide_wad(numerator: int, denominator: int) -> int:
    """Return the quotient of two wads, truncated toward zero; ZeroDivisionError when there is nothing to divide by."""
    return _truncated_quotient(numerator * WAD, denominator)


def product_wad(*factors: int) -> int:
    """Return the product of wads from left to right, truncated toward zero after each step."""
    result = factors[0]
    for factor in factors[1:]:
        result = multiply_wad(result, factor)
    return result


def wad_from_float(value: float) -> int:
    """Return the wad nearest below or at a finite float in magnitude; exact, since a float is a binary fraction."""
    numerator, denominator = value.as_integer_ratio()
    return _truncated_quotient(numerator * WAD, denominator)


def _truncated_quotient(numerator: int, denominator: int) -> int:
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient
