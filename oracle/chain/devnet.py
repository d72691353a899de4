"""A local chain: Anvil as a child process that dies with its parent, and the controls that only such a chain has."""

from __future__ import annotations

import ctypes
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount

from oracle.chain.client import ChainClient, RequestLimits
from oracle.chain.wire import quantity
from oracle.errors import BadConfiguration, EndpointUnavailable
from oracle.types import BlockStamp

_NODE_MODULES = Path(__file__).resolve().parents[2] / "contracts_abi" / "node_modules"
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_PR_SET_PDEATHSIG = 1
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_PRIVATE_KEY = re.compile(r"^\((\d+)\) (0x[0-9a-f]{64})$")
_LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")


class Devnet:
    """Anvil on a free port of loopback, while the context lasts.

    Parameters
    ----------
    chain_id : int
    timestamp : int, optional
        Unix seconds of the first block; now by default.
    gas_limit : int, optional
        Of a block.
    block_seconds : int, optional
        A block every so many seconds; by default one for each transaction.

    Raises
    ------
    BadConfiguration
        If Anvil is not installed.
    EndpointUnavailable
        If it does not start; the message holds its last words.

    Notes
    -----
    On Linux the child is killed when the thread that started it ends, so start it from one that lasts.
    """

    def __init__(
        self,
        *,
        chain_id: int = 31_337,
        timestamp: int | None = None,
        gas_limit: int | None = None,
        block_seconds: int | None = None,
    ) -> None:
        options = {
            "--chain-id": chain_id,
            "--timestamp": timestamp,
            "--gas-limit": gas_limit,
            "--block-time": block_seconds,
        }
        chosen = [text for name, value in options.items() if value is not None for text in (name, str(value))]
        self.chain_id = chain_id
        self.url = ""
        self.accounts: tuple[LocalAccount, ...] = ()
        self._command = [str(anvil_binary()), "--host", "127.0.0.1", "--port", "0", *chosen]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=_die_with_parent(),
        )
        assert self._process.stdout is not None
        try:
            self._read_greeting(self._process, self._process.stdout)
        except BaseException:
            self.stop()
            raise
        # A full pipe would stop the chain.
        threading.Thread(target=_drain, args=(self._process.stdout,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the chain; once is enough, twice is harmless."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def client(self, *, confirmations: int = 0, limits: RequestLimits = RequestLimits()) -> ChainClient:
        """Return a client for the chain, without the check of the head's age: its clock may be made up."""
        return ChainClient(
            [self.url], self.chain_id, confirmations=confirmations, maximum_head_age_seconds=None, limits=limits
        )

    def _read_greeting(self, process: subprocess.Popen[str], output: IO[str]) -> None:
        last_words: deque[str] = deque(maxlen=5)
        keys: list[str] = []
        watchdog = threading.Timer(_START_SECONDS, process.kill)
        watchdog.start()
        try:
            for line in output:
                last_words.append(line.strip())
                if key := _PRIVATE_KEY.match(line.strip()):
                    keys.append(key[2])
                if listening := _LISTENING.search(line):
                    self.url = f"http://127.0.0.1:{listening[1]}"
                    self.accounts = tuple(Account.from_key(key) for key in keys)
                    return
        finally:
            watchdog.cancel()
        raise EndpointUnavailable(f"Anvil did not start: {' '.join(last_words)}", "run it by hand to see why")


def anvil_binary() -> Path:
    """Return the binary itself, not npm's wrapper: killing the wrapper would leave the chain running."""
    architecture = _ARCHITECTURES.get(platform.machine().lower(), platform.machine())
    package = f"anvil-{sys.platform}-{architecture}"
    binary = _NODE_MODULES / "@foundry-rs" / package / "bin" / "anvil"
    if binary.is_file():
        return binary
    on_path = shutil.which("anvil")
    if on_path is None:
        raise BadConfiguration(
            f"Anvil is neither at {binary} nor on the PATH", "run npm ci --ignore-scripts in contracts_abi"
        )
    return Path(on_path)


# ---------------------------------------------------------------------- controls of a development chain


def mine(client: ChainClient, blocks: int = 1) -> BlockStamp:
    """Mine empty blocks and return the head."""
    client.request("anvil_mine", [hex(blocks)], _as_is)
    return client.head()


def mine_at(client: ChainClient, timestamp: int) -> BlockStamp:
    """Mine one block with this timestamp, later than the head's, and return it."""
    set_next_timestamp(client, timestamp)
    return mine(client)


def set_next_timestamp(client: ChainClient, timestamp: int) -> None:
    """Give the next block this timestamp, Unix seconds, later than the head's."""
    client.request("evm_setNextBlockTimestamp", [hex(timestamp)], _as_is)


def set_automine(client: ChainClient, enabled: bool) -> None:
    """Choose whether each transaction gets a block at once."""
    client.request("evm_setAutomine", [enabled], _as_is)


def reorganise(client: ChainClient, depth: int) -> BlockStamp:
    """Replace the last `depth` blocks by empty ones and return the new head; their transactions are lost."""
    first_lost = client.block_by_number(client.head().number - depth + 1)
    client.request("anvil_rollback", [depth], _as_is)
    # An empty block with the same time as the one it replaces would have the same hash.
    set_next_timestamp(client, first_lost.timestamp + 1)
    return mine(client, depth)


def take_snapshot(client: ChainClient) -> int:
    """Remember the chain's state and return its number."""
    return client.request("evm_snapshot", [], quantity)


def revert_to_snapshot(client: ChainClient, snapshot: int) -> None:
    """Go back to a remembered state, which is used up by it."""
    if not client.request("evm_revert", [hex(snapshot)], bool):
        raise BadConfiguration(f"snapshot {snapshot} is not known to the chain", "a snapshot serves once")


def _as_is(result: Any) -> Any:
    return result


def _drain(output: IO[str]) -> None:
    for _ in output:
        pass


def _die_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def ask_for_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return ask_for_signal
