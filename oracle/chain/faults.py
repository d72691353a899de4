"""What a node's error means: the one table from error texts to types, and the redaction of secrets in messages.

No other module looks at the text of an error. A meaning is looked up by words, since the codes are used differently
by every node (-32000 and -32603 mean anything). Texts are those of geth (core/error.go, core/txpool/errors.go,
internal/ethapi/errors.go), Erigon, Nethermind, Anvil, and of hosted endpoints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from oracle.errors import (
    BlockUnavailable,
    CallReverted,
    CallTooLarge,
    InsufficientFunds,
    NonceTaken,
    OracleError,
    Transient,
    Underpriced,
)
from oracle.logs import MASK, redact_url


class EndpointFault(Transient):
    """One endpoint failed to answer; another one may. Never leaves the client."""


class AlreadyKnown(Transient):
    """The node has this very transaction already; as good as sent."""


_ARCHIVE = "use an endpoint that keeps state at this depth"
_REORG = "the block was reorganised away or has not arrived; the next cycle reads a new one"

_MEANINGS: tuple[tuple[str, type[OracleError], str], ...] = (
    (r"already known|already imported|known transaction|alreadyknown", AlreadyKnown, ""),
    (r"nonce too low|nonce is too low|oldnonce", NonceTaken, "settle the mined transaction first"),
    (r"underpriced|fee too low|max fee per gas less than|feetoolow", Underpriced, "bump both fees"),
    (r"insufficient funds|insufficient balance|out ?of ?fund", InsufficientFunds, "fund the sending account"),
    (r"missing trie node|state.*(pruned|not available)|historical state|blockoutofrange", BlockUnavailable, _ARCHIVE),
    (
        r"header not found|unknown block|block not found|resource not found|not (currently )?canonical|find block",
        BlockUnavailable,
        _REORG,
    ),
    (
        r"out ?of ?gas|gas required|aborted|timeout|response size|too (large|big)|more than \d+ results|sizelimit"
        r"|blocks? range|ranges over|limited to .* range",
        CallTooLarge,
        "ask for less in one call",
    ),
    (r"revert|invalid opcode|invalid jump|stack underflow|invalidfeopcode", CallReverted, ""),
)
"""First match wins; a text that matches nothing is the endpoint's own trouble, and the next endpoint is asked."""

_REVERT_CODE = 3
_SHORTEST_SECRET = 6


def error_from_node(error: Mapping[str, object], url: str) -> OracleError:
    """Return the typed error for the `error` member of a JSON-RPC answer.

    Parameters
    ----------
    error : mapping
        With `code`, `message` and, for reverts, `data` (hex).
    url : str
        Where it came from; its secrets are removed from the text.

    Returns
    -------
    OracleError
        `EndpointFault` when the text says nothing that is known.
    """
    text = redact_text(str(error.get("message", "")) or "error without a message", url)
    data = revert_data(error)
    if error.get("code") == _REVERT_CODE or data:
        return CallReverted(text, data=data)
    for pattern, kind, remedy in _MEANINGS:
        if re.search(pattern, text, re.IGNORECASE):
            return kind(text, remedy)
    return EndpointFault(f"{redact_url(url)} answers: {text}")


def revert_data(error: Mapping[str, object]) -> bytes:
    """Return the bytes a contract reverted with, empty when there are none; some nodes nest them."""
    data = error.get("data")
    if isinstance(data, Mapping):
        data = data.get("data")
    found = re.search(r"0x([0-9a-fA-F]{2})*$", data) if isinstance(data, str) else None
    return bytes.fromhex(found[0][2:]) if found else b""


def redact_text(text: str, url: str) -> str:
    """Return `text` without the URL and without any part of it that may be a key."""
    parts = urlsplit(url)
    values = [value for pair in parts.query.split("&") for value in pair.split("=")]
    secrets = [parts.username or "", parts.password or "", *parts.path.split("/"), *values]
    text = text.replace(url, redact_url(url))
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    return text
