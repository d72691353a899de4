"""Errors of a command as people or machines read them, and as its exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
import typer

from oracle.config import LogSettings, Settings, load_settings
from oracle.errors import OracleError
from oracle.logs import configure_logs, redact_text
from oracle.scheduler import describe


@contextmanager
def reporting(logs: LogSettings) -> Iterator[None]:
    """Turn an `OracleError` into its exit code and a log event or, for people, a line on standard error."""
    configure_logs(logs.format, logs.level)
    try:
        yield
    except OracleError as error:
        if logs.format == "json":
            structlog.get_logger("cli").critical("failed", **describe(error))
        else:
            print(redact_text(f"{type(error).__name__}: {error}"), file=sys.stderr)
        raise typer.Exit(error.exit_code) from None


@contextmanager
def configured(path: Path) -> Iterator[Settings]:
    """Read the configuration, set up logs by it, and report errors as it says."""
    with reporting(LogSettings()):
        settings = load_settings(path)
    with reporting(settings.logs):
        yield settings
