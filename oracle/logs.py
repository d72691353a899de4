"""Logs: structlog, for people or as JSON, with secrets masked before anything is rendered."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_SECRET_NAMES = re.compile(
    r"password|secret|private|mnemonic|passphrase|access_token|auth_token|bearer|api_?key|authorization", re.IGNORECASE
)
_URL = re.compile(r"(?P<scheme>(?:https?|wss?)://)(?P<rest>[^\s'\"<>]+)")
_PRIVATE_KEY = re.compile(r"(?i)(private[_ ]?key\W{1,3})(?:0x)?[0-9a-f]{64}")
MASK = "[redacted]"


def redact_text(text: str) -> str:
    """Return the text with credentials, paths and queries of URLs masked: endpoints carry keys in any of the three."""

    def host_only(match: re.Match[str]) -> str:
        rest = match["rest"]
        host = re.split(r"[/?#]", rest, maxsplit=1)[0].rsplit("@", 1)[-1]
        return match[0] if rest in (host, host + "/") else f"{match['scheme']}{host}/{MASK}"

    return _PRIVATE_KEY.sub(rf"\1{MASK}", _URL.sub(host_only, text))


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask secret-looking fields and every URL of a log event; a structlog processor."""
    return {key: _redact_value(key, value) for key, value in event.items()}


def configure_logs(style: str, level: str, stream: TextIO | None = None) -> None:
    """Set up logging for the process; `style` is human or json, `level` a logging level name in lower case."""
    renderer: Any = structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        # Looked up at each line: standard error may be another one by then.
        logger_factory=lambda *_: structlog.PrintLogger(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def _redact_value(key: str, value: Any) -> Any:
    if _SECRET_NAMES.search(key):
        return MASK
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {k: _redact_value(str(k), v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redact_value(key, v) for v in value]
    if isinstance(value, BaseException):
        return redact_text(f"{type(value).__name__}: {value}")
    return value
