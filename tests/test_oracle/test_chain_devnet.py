"""The local chain: its options, its controls, and that nothing of it stays behind."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from oracle.chain import devnet as devnet_module
from oracle.chain.devnet import (
    Devnet,
    anvil_binary,
    mine,
    mine_at,
    reorganise,
    revert_to_snapshot,
    take_snapshot,
)
from oracle.errors import BadConfiguration, EndpointUnavailable

pytestmark = pytest.mark.chain

START = 1_700_000_000
STARTS_AND_IS_KILLED = """
import os, signal
from oracle.chain.devnet import Devnet
devnet = Devnet().__enter__()
print(devnet._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_its_options_reach_the_chain() -> None:
    with Devnet(chain_id=4_242, timestamp=START, gas_limit=123_456_789) as devnet:
        client = devnet.client()
        assert client.head().timestamp == START
        block = client.request("eth_getBlockByNumber", ["latest", False], lambda found: found)
        assert int(block["gasLimit"], 16) == 123_456_789
        assert client.chain_id == 4_242
        assert len(devnet.accounts) == 10
        assert mine_at(client, START + 3_600).timestamp == START + 3_600


def test_controls_go_forward_and_back() -> None:
    with Devnet() as devnet:
        chain = devnet.client()
        start = mine(chain, 2)
        snapshot = take_snapshot(chain)
        assert mine(chain, 5).number == start.number + 5
        revert_to_snapshot(chain, snapshot)
        assert chain.head() == start
        with pytest.raises(BadConfiguration, match="serves once"):
            revert_to_snapshot(chain, snapshot)
        reorganised = reorganise(chain, 1)
        assert reorganised.number == start.number
        assert reorganised.hash != start.hash


def test_the_chain_ends_with_its_context() -> None:
    with Devnet() as devnet:
        process = devnet._process
        assert process is not None
    assert process.poll() is not None
    devnet.stop()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the kernel of Linux for the signal")
def test_the_chain_dies_with_a_parent_that_is_killed() -> None:
    parent = subprocess.run(
        [sys.executable, "-c", STARTS_AND_IS_KILLED], stdout=subprocess.PIPE, check=False, cwd=Path.cwd()
    )
    assert _ends(int(parent.stdout), within_seconds=10), "Anvil outlived its parent"


def test_a_chain_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EndpointUnavailable, match="unexpected argument"), Devnet(gas_limit=-1):
        pass
    monkeypatch.setattr(devnet_module, "_NODE_MODULES", Path(os.devnull))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadConfiguration, match="npm ci"):
        anvil_binary()


def _ends(pid: int, within_seconds: float) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within_seconds)[0])
    finally:
        os.close(handle)
