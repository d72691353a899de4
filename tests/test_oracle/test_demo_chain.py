"""The demonstration as a person runs it: one command, a JSON object at the end, exit code 0."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from oracle.chain.devnet import Devnet
from oracle.demo.past import simulated_past
from oracle.errors import WrongChain
from oracle.units import SECONDS_PER_HOUR

pytestmark = pytest.mark.chain

ROOT = Path(__file__).resolve().parents[2]
SHARED_DATA = ROOT.parent / "shared" / "data"
"""Real hourly prices, read where they are; the demonstration's own simulated history is tested without them."""
LIMIT_SECONDS = 300


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "oracle", *arguments]


def outcome(*arguments: str) -> dict[str, object]:
    """Run the demonstration and return its JSON object."""
    finished = subprocess.run(
        command("demo", "--json", *arguments), cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS
    )
    assert finished.returncode == 0, finished.stdout[-1_000:] + finished.stderr[-1_000:]
    found: dict[str, object] = json.loads(finished.stdout.splitlines()[-1])
    return found


def check(found: dict, history: str) -> None:  # type: ignore[type-arg]
    assert found["history"] == history
    assert found["proof_accepted"] is found["opening_refused"] is found["liquidated"] is True
    cycles = found["cycles"]
    assert [cycle["sequence"] for cycle in cycles] == [1, 2, 3]
    assert len({cycle["prices_e8"]["ETH"] for cycle in cycles}) == 3
    assert len({cycle["accounts_root"] for cycle in cycles}) == 3
    for cycle in cycles:
        assert cycle["accounts"] > 200 and cycle["gas_used"] > 21_000 and len(cycle["transaction_hash"]) == 66
        assert len(cycle["markets"]) == 20
        for market in cycle["markets"].values():
            assert market["initial_long_ppm"] > market["maintenance_long_ppm"] > 0
            assert market["initial_short_ppm"] > market["maintenance_short_ppm"] > 0
    first, last = cycles[0]["markets"]["1"], cycles[2]["markets"]["1"]
    assert last["initial_long_ppm"] > first["initial_long_ppm"], "a fall of 12 % raises what a long asks"


def test_the_demonstration_tells_its_story(tmp_path: Path) -> None:
    check(outcome("--directory", str(tmp_path / "demo")), "simulated")
    assert oct((tmp_path / "demo" / "password").stat().st_mode)[-3:] == "600"


def test_the_demonstration_runs_on_a_chain_that_is_there_already() -> None:
    past = simulated_past(500_000)
    with Devnet(timestamp=past.last_hour * SECONDS_PER_HOUR) as devnet:
        check(outcome("--rpc", devnet.url), "simulated")


def test_the_demonstration_takes_real_history() -> None:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"NOT RUN: real prices are absent at {SHARED_DATA}")
    check(outcome("--history", str(SHARED_DATA)), "real")


def test_a_wrong_history_folder_is_refused_with_its_exit_code(tmp_path: Path) -> None:
    finished = subprocess.run(
        command("demo", "--history", str(tmp_path)), cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS
    )
    assert finished.returncode == 65
    assert "BadHistory" in finished.stderr and "ETH" in finished.stderr


def test_a_devnet_stays_up_until_it_is_told_to_stop(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command("devnet", "--directory", str(tmp_path / "net")),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        shown = []
        for line in process.stdout:
            shown.append(line)
            if "stop with" in line:
                process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_SECONDS) == 0, "".join(shown)
    text = "".join(shown)
    assert "MarginOracle: 0x" in text and "RPC URL: http://127.0.0.1:" in text


def test_a_fatal_error_while_serving_is_the_exit_code_and_the_object_is_the_last_line() -> None:
    fatal = (
        "from oracle import cli\n"
        "from oracle.demo import story\n"
        "from oracle.errors import WrongChain\n"
        "def serve_no_longer(keeper, *progress):\n"
        "    if not progress:\n"
        "        raise WrongChain('served no longer')\n"
        "    return real(keeper, *progress)\n"
        "real, story.run_cycle = story.run_cycle, serve_no_longer\n"
        "cli.main()\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", fatal, "demo", "--serve", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert finished.returncode == WrongChain.exit_code, finished.stderr[-1_000:]
    check(json.loads(finished.stdout.splitlines()[-1]), "simulated")
