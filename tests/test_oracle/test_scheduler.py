"""The daemon: one cycle at a time, drained on a signal, stopped by what is fatal."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Callable

import pytest
import structlog

from oracle.config import ScheduleSettings
from oracle.errors import BadData, Fatal, OracleError, Refused, StorageFailure, Transient, WrongChain
from oracle.logs import configure_logs
from oracle.scheduler import EXIT_NOT_DRAINED, EXIT_UNEXPECTED, BackgroundWork, Daemon

pytestmark = pytest.mark.fast

EVERY_SECOND = ScheduleSettings(interval_seconds=1, drain_seconds=5)


def _script(daemon_box: list[Daemon], steps: list[Exception | None]) -> Callable[[], None]:
    """Return a cycle that goes through the steps and then asks the daemon to stop."""
    remaining = iter(steps)

    def cycle() -> None:
        step = next(remaining, StopIteration)
        if step is StopIteration:
            daemon_box[0].stop()
        elif isinstance(step, Exception):
            raise step

    return cycle


@pytest.mark.parametrize("error", [Transient("t"), BadData("b"), Refused("r")])
def test_the_daemon_goes_on_after(error: OracleError) -> None:
    box: list[Daemon] = []
    box.append(Daemon(_script(box, [error]), EVERY_SECOND))
    assert box[0].run() == 0


@pytest.mark.parametrize("error", [Transient("t"), Refused("r")])
def test_what_does_not_pass_by_itself_becomes_an_alert(error: OracleError) -> None:
    box: list[Daemon] = []
    every_second = ScheduleSettings(interval_seconds=1, alert_after_failures=2)
    with structlog.testing.capture_logs() as logs:
        box.append(Daemon(_script(box, [error, error]), every_second))
        box[0].run()
    failed = [entry for entry in logs if entry["event"] == "cycle_failed"]
    assert [entry["alert"] for entry in failed] == [False, True]
    assert [entry["log_level"] for entry in failed] == ["warning", "error"]


def test_a_fatal_error_stops_with_its_exit_code() -> None:
    assert Daemon(_script([], [WrongChain("chain 1", "use chain 2")]), EVERY_SECOND).run() == Fatal.exit_code


def test_a_defect_stops_the_daemon() -> None:
    assert Daemon(_script([], [ZeroDivisionError()]), EVERY_SECOND).run() == EXIT_UNEXPECTED


def test_a_running_cycle_is_drained_on_sigterm() -> None:
    finished = threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    def cycle() -> None:
        signal.pthread_kill(main, signal.SIGTERM)
        daemon_saw_signal.wait(5)
        finished.set()

    daemon = Daemon(cycle, EVERY_SECOND)
    daemon_saw_signal = daemon._stop
    assert daemon.run() == 0
    assert finished.is_set()


def test_a_cycle_that_does_not_end_is_left_after_the_drain_time() -> None:
    release = threading.Event()

    def cycle() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        release.wait(20)

    try:
        assert Daemon(cycle, ScheduleSettings(interval_seconds=60, drain_seconds=1)).run() == EXIT_NOT_DRAINED
    finally:
        release.set()


def test_a_defect_is_logged_by_us_alone(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """APScheduler's own trace would go to standard error unmasked."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in a process that is not pytest's
    configure_logs("json", "info")
    daemon = Daemon(_script([], [ZeroDivisionError("http://user:hidden-key@host/hidden-path")]), EVERY_SECOND)
    assert daemon.run() == EXIT_UNEXPECTED
    written = capfd.readouterr().err
    assert "hidden" not in written
    assert "unexpected_error" in [json.loads(line)["event"] for line in written.splitlines()]


@pytest.mark.parametrize("error", [ZeroDivisionError(), WrongChain("w"), StorageFailure("s")])
def test_whatever_befalls_background_work_cycles_go_on_and_it_is_tried_again(error: Exception) -> None:
    tries, cycles = threading.Semaphore(0), 0

    def work() -> None:
        tries.release()
        raise error

    def cycle() -> None:
        nonlocal cycles
        cycles += 1
        if tries.acquire(blocking=False) and tries.acquire(timeout=5):
            daemon.stop()

    daemon = Daemon(cycle, EVERY_SECOND, BackgroundWork(work, interval_seconds=1, delay_seconds=0))
    with structlog.testing.capture_logs() as logs:
        assert daemon.run() == 0
    assert cycles >= 1 and daemon.drained
    failed = [entry for entry in logs if entry["event"] == "background_failed"]
    assert len(failed) >= 2 and all(entry["alert"] and entry["log_level"] == "error" for entry in failed)


def test_background_work_waits_for_its_first_time() -> None:
    box: list[Daemon] = []
    work = BackgroundWork(lambda: pytest.fail("too early"), interval_seconds=1, delay_seconds=3_600)
    box.append(Daemon(_script(box, [None, None]), EVERY_SECOND, work))
    with structlog.testing.capture_logs() as logs:
        assert box[0].run() == 0
    assert "background_failed" not in [entry["event"] for entry in logs]


def test_cycles_run_beside_background_work_and_a_stop_does_not_wait_for_it() -> None:
    begun, release = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        release.wait(20)

    def cycle() -> None:
        if begun.wait(5):
            daemon.stop()

    daemon = Daemon(cycle, EVERY_SECOND, BackgroundWork(work, interval_seconds=60, delay_seconds=0))
    try:
        assert daemon.run() == 0
        assert not release.is_set() and not daemon.drained, "the process must not wait for the thread"
    finally:
        release.set()
