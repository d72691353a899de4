"""Logs: structlog, for people or as JSON, with secrets masked before anything is rendered."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO
from urllib.parse import urlsplit

import structlog

_SECRET_NAMES = re.compile(
    r"password|secret|private|mnemonic|passphrase|access_token|auth_token|bearer|api_?key|authorization", re.IGNORECASE
)
_URL = re.compile(r"(?:https?|wss?)://[^\s'\"<>]+?(?=[.,:;)\]]*(?:[\s'\"<>]|$))")
_PRIVATE_KEY = re.compile(r"(?i)(private[_ ]?key\W{1,3})(?:0x)?[0-9a-f]{64}")
MASK = "***"


def redact_url(url: str) -> str:
    """Return scheme, host and port of a URL; path, query and user, where keys live, are masked."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or MASK, f":{parts.port}" if parts.port else ""
    except ValueError:  # not a URL after all, so nothing of it is known to be harmless
        return MASK
    hidden = f"/{MASK}" if parts.path.strip("/") or parts.query or parts.fragment or parts.username else ""
    return f"{parts.scheme}://{host}{port}{hidden}"


def redact_text(text: str) -> str:
    """Return the text with what may be a secret in its URLs, and every named private key, masked."""
    return _PRIVATE_KEY.sub(rf"\1{MASK}", _URL.sub(lambda match: redact_url(match[0]), text))


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
