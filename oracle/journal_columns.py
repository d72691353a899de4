"""A column type that the journal needs and its database lacks."""

from __future__ import annotations

import sqlalchemy as sa

_UINT256_DIGITS = 78


class Uint256(sa.TypeDecorator[int]):
    """An exact unsigned integer of up to 256 bits as zero-padded text, so that it sorts as it counts.

    SQLite's own integers end at 63 bits and its numeric type rounds.
    """

    impl = sa.String(_UINT256_DIGITS)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> str | None:
        """Return the text; ValueError beyond 256 bits."""
        if value is None:
            return None
        if not 0 <= value < 2**256:
            raise ValueError(f"{value} is not an unsigned integer of 256 bits")
        return str(value).zfill(_UINT256_DIGITS)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> int | None:
        """Return the integer."""
        return None if value is None else int(value)
