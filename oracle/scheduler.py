"""The daemon: runs the cycle on a schedule, drains on a signal, stops on a fatal error with its exit code.

APScheduler's thread-pool scheduler runs one cycle at a time; ticks missed while one runs are coalesced into one.
What an error means is decided by its class alone, see `oracle.errors`. Work that is not a cycle runs beside it in a
thread of its own: whatever becomes of it, cycles go on.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from oracle.config import ScheduleSettings
from oracle.errors import BadData, Fatal, OracleError, Refused, Transient

EXIT_NOT_DRAINED = 70
EXIT_UNEXPECTED = 70


@dataclass(frozen=True, slots=True)
class BackgroundWork:
    """Work beside the cycles, done every so many seconds, the first time after a delay.

    `run` handles its own expected errors; it must leave everything whole if the process ends in the middle of it.
    """

    run: Callable[[], None]
    interval_seconds: int
    delay_seconds: int


class Daemon:
    """Runs `run_cycle` every `interval_seconds` until a signal or a fatal error.

    Parameters
    ----------
    run_cycle : callable
        One whole cycle; raises an `OracleError` for what it could not do.
    settings : ScheduleSettings
        Interval, drain time, failures before an alert.
    background : BackgroundWork, optional
    """

    def __init__(
        self, run_cycle: Callable[[], None], settings: ScheduleSettings, background: BackgroundWork | None = None
    ) -> None:
        self._run_cycle = run_cycle
        self._settings = settings
        self._background = background
        self._log = structlog.get_logger("scheduler")
        self._stop = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._background_running = threading.Event()
        self._exit_code = 0
        self._failures = 0
        self.drained = True
        """False when `run` returned while a cycle, or background work, was still running in its thread."""
        # With no handler Python prints APScheduler's own records to standard error, traces unmasked.
        logging.getLogger("apscheduler").addHandler(logging.NullHandler())

    def run(self, ready: Callable[[], None] = lambda: None) -> int:
        """Run until stopped; return the process's exit code. `ready` is called once a signal would be heard."""
        scheduler = BackgroundScheduler(timezone="UTC")
        scheduler.add_job(
            self._tick,
            "interval",
            seconds=self._settings.interval_seconds,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            next_run_time=datetime.now(UTC),
        )
        self._add_background(scheduler)
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        scheduler.start()
        ready()
        try:
            self._stop.wait()
            scheduler.pause()
            idle = self._idle.wait(self._settings.drain_seconds)
            self.drained = idle and not self._background_running.is_set()
            scheduler.shutdown(wait=self.drained)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        if not idle:
            self._log.error("not_drained", drain_seconds=self._settings.drain_seconds)
            return self._exit_code or EXIT_NOT_DRAINED
        self._log.info("stopped", exit_code=self._exit_code)
        return self._exit_code

    def stop(self, exit_code: int = 0) -> None:
        """Ask the daemon to drain and stop."""
        self._exit_code = self._exit_code or exit_code
        self._stop.set()

    def _on_signal(self, number: int, _frame: object) -> None:
        self._log.info("signal", name=signal.Signals(number).name)
        self.stop()

    def _add_background(self, scheduler: BackgroundScheduler) -> None:
        if self._background is None:
            return
        scheduler.add_job(
            self._background_tick,
            "interval",
            seconds=self._background.interval_seconds,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            next_run_time=datetime.now(UTC) + timedelta(seconds=self._background.delay_seconds),
        )

    def _background_tick(self) -> None:
        if self._stop.is_set() or self._background is None:
            return
        self._background_running.set()
        finished = False
        try:
            self._background.run()
            finished = True
        finally:
            if not finished:  # a defect: cycles go on, and so does the next try
                self._log.error("background_failed", alert=True, exc_info=True)
            self._background_running.clear()

    def _tick(self) -> None:
        if self._stop.is_set():
            return
        self._idle.clear()
        finished = False
        try:
            self._guarded_cycle()
            finished = True
        finally:
            if not finished:  # a defect, not an OracleError: its trace goes to the log, the process stops
                self._log.critical("unexpected_error", exc_info=True)
                self.stop(EXIT_UNEXPECTED)
            self._idle.set()

    def _guarded_cycle(self) -> None:
        try:
            self._run_cycle()
            self._failures = 0
        except Transient as error:
            self._passing("transient", error)
        except BadData as error:
            self._log.error("cycle_failed", kind="bad_data", alert=True, **describe(error))
        except Refused as error:
            self._passing("refused", error)
        except Fatal as error:
            self._log.critical("fatal", alert=True, **describe(error))
            self.stop(error.exit_code)

    def _passing(self, kind: str, error: OracleError) -> None:
        """Log what may pass by itself; an alert once it has not for so many cycles in a row."""
        self._failures += 1
        alert = self._failures >= self._settings.alert_after_failures
        level = self._log.error if alert else self._log.warning
        level("cycle_failed", kind=kind, failures_in_a_row=self._failures, alert=alert, **describe(error))


def describe(error: OracleError) -> dict[str, str]:
    """Return the fields under which an error is logged."""
    return {"error": type(error).__name__, "reason": error.message, "remedy": error.remedy}
