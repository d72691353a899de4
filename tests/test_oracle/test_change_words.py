"""Calls in words: every function that governs has them and a command, and what cannot be read is still shown."""

from __future__ import annotations

import pytest
from typer.main import get_command

from oracle.chain.contract import load_artefact
from oracle.change_words import call_words, duration_words, time_words
from oracle.cli_admin import admin
from tests.deployment_cases import STRANGER

pytestmark = pytest.mark.fast

INTERFACE = load_artefact("MarginOracle").interface
BY_ANYBODY = {"post", "applyPending"}
OTHER = "0x00000000000000000000000000000000000000b0"
STRUCT = (True, 500_001, (5_000, 900_000, 1, 2, 0, 3), (3_000, 800_000, 0, 0, 4, 5), (6, 700_000, 7, 8, 0, 9))
SETTERS = {
    "setSigners": (((2, 3, (STRANGER, OTHER)),), f"2 of 2 signers, 3 beyond the step: {STRANGER}, "),
    "configureMarket": (
        (7, "ETH\n", STRUCT),
        "set market 7 'ETH\\n': fallback 500001 ppm; "
        "initial 5000 to 900000 ppm, up at once by the larger of 1 ppm of it and 2, down 3 an hour; "
        "maintenance 3000 to 800000 ppm, up 4 an hour, down 5 an hour; "
        "slope 6 to 700000 ppm per million USD, up at once by the larger of 7 ppm of it and 8, down 9 an hour",
    ),
    "setTiming": (((3_600, 1_801, 60),), "set heartbeat 3600 s (1 h), dwell 1801 s, minimum delay 60 s"),
    "grantRotation": ((STRANGER, OTHER), f"custodian {STRANGER} may replace the signer 0x"),
    "setGuardian": ((STRANGER,), f"make the guardian {STRANGER}"),
    "setOwnerDelay": ((172_800,), "let the owner's changes wait 172800 s (48 h)"),
    "transferOwnership": ((STRANGER,), f"offer the ownership to {STRANGER}, who has to accept it"),
    "acceptOwnership": ((), "accept the ownership"),
    "announceCalibration": ((b"\x01" * 32, "ipfs://x"), f"announce the calibration 0x{'01' * 32} at 'ipfs://x'"),
    "rotateSigner": (((2, 3, (STRANGER,)), OTHER), "in the place of the signer that the sender answers for"),
    "pause": ((), "pause posts"),
    "unpause": ((), "let posts go on"),
    "cancelPending": ((7,), "drop the looser margin that waits in market 7"),
    "voidAccounts": ((), "void both accounts roots until the next report"),
}
WRAPPERS = {"proposeChange": "propose", "executeChange": "carry out", "cancelChange": "drop"}


@pytest.mark.parametrize("function", SETTERS)
def test_a_call_in_words_has_all_of_its_values(function: str) -> None:
    arguments, words = SETTERS[function]
    assert words in call_words(INTERFACE, INTERFACE.encode(function, *arguments))


@pytest.mark.parametrize("function", WRAPPERS)
def test_a_change_is_shown_inside_what_is_done_with_it(function: str) -> None:
    change = INTERFACE.encode("setOwnerDelay", 7)
    words = call_words(INTERFACE, INTERFACE.encode(function, change))
    assert words == f"{WRAPPERS[function]} the change: let the owner's changes wait 7 s"


def test_taking_something_back_is_told_from_giving_it() -> None:
    nobody = "0x" + "00" * 20
    assert call_words(INTERFACE, INTERFACE.encode("grantRotation", STRANGER, nobody)).endswith("no signer any more")
    assert "nobody (no pause" in call_words(INTERFACE, INTERFACE.encode("setGuardian", nobody))
    assert (
        call_words(INTERFACE, INTERFACE.encode("transferOwnership", nobody)) == "take back any offer of the ownership"
    )


def test_what_cannot_be_read_is_shown_as_it_is() -> None:
    call = INTERFACE.encode("setOwnerDelay", 7)
    for odd in (b"", b"\x01\x02", bytes(4) + call[4:], call[:-1], call + b"\x00", call[:4] + b"\xff" * 32):
        assert call_words(INTERFACE, odd) == f"a call that this release cannot read: 0x{odd.hex()}"


def test_every_function_that_changes_something_has_words_and_a_command() -> None:
    functions = {
        entry["name"]
        for entry in load_artefact("MarginOracle").abi
        if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
    }
    assert functions - BY_ANYBODY == SETTERS.keys() | WRAPPERS.keys()
    commands = set(get_command(admin).commands)  # type: ignore[attr-defined]
    assert len(commands - {"status", "cancel-change"}) == len(SETTERS)


def test_times_and_durations_are_exact() -> None:
    assert time_words(1_800_000_000) == "2027-01-15 08:00:00 UTC"
    assert [duration_words(seconds) for seconds in (0, 59, 3_600, 3_601)] == ["0 s", "59 s", "3600 s (1 h)", "3601 s"]
