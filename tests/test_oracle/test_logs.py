"""Logs never hold a secret."""

from __future__ import annotations

import io
import json

import pytest
import structlog

from oracle.logs import MASK, configure_logs, redact_text

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pass@node.example:8545/", "https://node.example:8545/" + MASK),
        ("at https://node.example/v3/abcdef now", "at https://node.example/" + MASK + " now"),
        ("wss://node.example?key=abcdef", "wss://node.example/" + MASK),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("http://127.0.0.1:8545/", "http://127.0.0.1:8545"),
        ("endpoint http://127.0.0.1:8545: refused", "endpoint http://127.0.0.1:8545: refused"),
        ("(https://node.example/key).", f"(https://node.example/{MASK})."),
        ("https://node.example:secret/", MASK),
        ("private_key=0x" + "ab" * 32, "private_key=" + MASK),
    ],
)
def test_urls_and_keys_are_masked_in_text(text: str, shown: str) -> None:
    assert redact_text(text) == shown


def test_secret_fields_are_masked_at_any_depth() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)
    try:
        structlog.get_logger().info(
            "start",
            keystore_password="hunter2",
            nested={"private_key": "hunter2", "urls": ["https://node.example/hunter2"]},
            error=ValueError("https://node.example/hunter2"),
            transaction="0x" + "ab" * 32,
        )
    finally:
        structlog.reset_defaults()
    line = stream.getvalue()
    assert "hunter2" not in line
    assert json.loads(line)["transaction"] == "0x" + "ab" * 32


def test_the_level_is_respected() -> None:
    stream = io.StringIO()
    configure_logs("human", "warning", stream)
    try:
        structlog.get_logger().info("quiet")
        structlog.get_logger().warning("loud")
    finally:
        structlog.reset_defaults()
    assert "quiet" not in stream.getvalue() and "loud" in stream.getvalue()
