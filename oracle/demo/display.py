"""What the demonstration shows: progress while it works, tables after, one JSON object at the end if asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from oracle.cycle import STEPS, CycleResult
from oracle.demo.catalogue import SYMBOLS
from oracle.types import (
    AccountBook,
    AccountRequirements,
    MarginReport,
    PostedMarket,
    Snapshot,
    Update,
)
from oracle.units import MICRO_PER_USD, PPM, PRICE_SCALE_E8

ACCOUNTS_SHOWN = 8


class Display:
    """Writes to one console; every table says whether its history is real or simulated.

    Parameters
    ----------
    console : Console
    label : str
        "real history" or "simulated history".
    """

    def __init__(self, console: Console, label: str) -> None:
        self._console = console
        self._label = label

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show a title with a spinner and the time while something is done."""
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(title, total=1)
            yield
            progress.advance(task)

    @contextmanager
    def cycle(self, number: int) -> Iterator[_StepCounter]:
        """Show the steps of a cycle as they are reached."""
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as progress:
            counter = _StepCounter(progress, number)
            yield counter
            counter.finish()

    def say(self, text: str) -> None:
        """Show a line."""
        self._console.print(text, highlight=False)

    def prices(self, snapshot: Snapshot) -> None:
        """Show where and when the cycle looked."""
        prices = ", ".join(f"{u.symbol} {_price(u.price_e8)}" for u in snapshot.underlyings)
        self.say(f"block {snapshot.stamp.number}, 0x{snapshot.stamp.hash.hex()[:16]}…: {prices}")

    def markets(self, markets: Sequence[PostedMarket], names: dict[int, str]) -> None:
        """Show the ratios that are in force in each market, and below a ratio the lower one that waits."""
        table = Table(title=f"Market ratios in force, % of underlying notional ({self._label})")
        table.add_column("market")
        for title in ("initial long", "initial short", "maint. long", "maint. short", "slope long", "slope short"):
            table.add_column(title, justify="right")
        for market in markets:
            name = names.get(market.market_id, str(market.market_id))
            table.add_row(name, *(_percent(value) for value in market.margin.values()))
            if market.pending:
                pairs = zip(market.pending.margin.values(), market.margin.values(), strict=True)
                lower = (_percent(waiting) if waiting < in_force else "" for waiting, in_force in pairs)
                table.add_row(f"  waits until {_clock(market.pending.effective_timestamp)}", *lower, style="dim")
        self._console.print(table)
        self.say("slope: percentage points for each million USD of notional")
        if any(market.pending for market in markets):
            self.say("a higher ratio is in force at once, a lower one after its wait if no report asks for more in it")

    def accounts(self, book: AccountBook, requirements: AccountRequirements) -> None:
        """Show the accounts closest to their limit: least equity over maintenance requirement."""
        table = Table(title=f"Accounts closest to their limit, USD ({self._label})")
        table.add_column("account")
        for title in ("positions", "equity", "initial", "maintenance", "equity / maintenance"):
            table.add_column(title, justify="right")
        table.add_column("binding")
        owing = np.flatnonzero(requirements.maintenance_micro > 0)
        closeness = requirements.equity_micro[owing] / requirements.maintenance_micro[owing]
        for account in owing[np.argsort(closeness, kind="stable")][:ACCOUNTS_SHOWN].tolist():
            ratio = requirements.equity_micro[account] * 100 // requirements.maintenance_micro[account]
            table.add_row(
                short_address(book.address[account].tobytes()),
                str(int(book.indptr[account + 1] - book.indptr[account])),
                usd(int(requirements.equity_micro[account])),
                usd(int(requirements.initial_micro[account])),
                usd(int(requirements.maintenance_micro[account])),
                f"{ratio} %",
                requirements.binding[account],
            )
        self._console.print(table)

    def report(self, result: CycleResult, report: MarginReport) -> None:
        """Show what was signed, by whom, and the transaction."""
        table = Table(title=f"Signed report {report.sequence} ({self._label})", show_header=False)
        decision = result.decision
        rows = {
            "reason": decision.reason,
            "reference block": f"{report.reference_block} 0x{report.reference_block_hash.hex()}",
            "model hash": "0x" + report.model_hash.hex(),
            "details hash": "0x" + report.details_hash.hex(),
            "accounts": f"{report.account_count}, root 0x{report.accounts_root.hex()}",
            "beyond the step": "yes, by the higher quorum" if report.exceeds_step else "no",
            "signatures": ", ".join(short_address(bytes.fromhex(s.signer[2:])) for s in result.signatures),
        }
        if result.posting is not None:
            rows["transaction"] = "0x" + result.posting.transaction_hash.hex()
            rows["gas used"] = f"{result.posting.gas_used:,}"
            rows["markets refused"] = ", ".join(map(str, result.posting.refused_market_ids)) or "none"
        for name, value in rows.items():
            table.add_row(name, value)
        self._console.print(table)


class _StepCounter:
    """Moves a progress line through the steps of a cycle."""

    def __init__(self, progress: Progress, number: int) -> None:
        self._progress = progress
        self._number = number
        self._task = progress.add_task(f"cycle {number}", total=len(STEPS))

    def __call__(self, step: str) -> None:
        self._progress.update(self._task, description=f"cycle {self._number}: {step}", completed=STEPS.index(step))

    def finish(self) -> None:
        """Show the cycle as done."""
        self._progress.update(self._task, description=f"cycle {self._number}: done", completed=len(STEPS))


def cycle_json(result: CycleResult) -> dict[str, object]:
    """Return a posted cycle as it appears in the JSON output."""
    assert isinstance(result.decision, Update) and result.posting is not None
    report = result.decision.report
    names = ("initial_long", "initial_short", "maintenance_long", "maintenance_short", "slope_long", "slope_short")
    return {
        "block": report.reference_block,
        "sequence": report.sequence,
        "transaction_hash": "0x" + result.posting.transaction_hash.hex(),
        "gas_used": result.posting.gas_used,
        "accounts": report.account_count,
        "accounts_root": "0x" + report.accounts_root.hex(),
        "prices_e8": dict(zip(SYMBOLS, (u.price_e8 for u in result.draft.snapshot.underlyings), strict=True)),
        "markets": {
            str(market.market_id): {f"{n}_ppm": v for n, v in zip(names, market.values(), strict=True)}
            for market in report.markets
        },
    }


def usd(amount_micro: int) -> str:
    """Return micro-USD as whole USD with separators, rounded down."""
    return f"{amount_micro // MICRO_PER_USD:,}"


def short_address(raw: bytes) -> str:
    """Return an address short enough for a table."""
    return f"0x{raw.hex()[:6]}…{raw.hex()[-4:]}"


def _price(price_e8: int) -> str:
    whole, part = divmod(price_e8, PRICE_SCALE_E8)
    return f"{whole:,}.{part * 100 // PRICE_SCALE_E8:02d}"


def _clock(timestamp: int) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%H:%M} UTC"


def _percent(ppm: int) -> str:
    per_percent = PPM // 100
    return f"{ppm // per_percent}.{ppm % per_percent * 100 // per_percent:02d}"
