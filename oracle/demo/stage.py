"""The demonstration's stage: a past, a chain, contracts and a keeper, in that order, with everything in one folder."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount
from pydantic import SecretStr
from rich.console import Console

from oracle.chain.client import ChainClient, RequestLimits
from oracle.chain.devnet import Devnet
from oracle.chain.submission import submit
from oracle.config import (
    ChainSettings,
    ContractSettings,
    LogSettings,
    Settings,
    SigningSettings,
    load_settings,
    write_settings,
)
from oracle.cycle import Keeper
from oracle.demo.display import Display
from oracle.demo.past import REAL_LABEL, Past, real_past, simulated_past
from oracle.demo.world import STEP_THRESHOLD, THRESHOLD, World, build_world
from oracle.errors import BadConfiguration, BadPrice
from oracle.keeper import build_keeper
from oracle.signer import create_keystore
from oracle.units import SECONDS_PER_HOUR
from oracle.valuation import SIMULATED_LABEL, calibrate, save_calibration

SIGNERS = 3
HOURS_BEHIND = 4
"""A built-in chain starts so long ago, so that the hours of the story have passed when it ends."""
GAS_FUNDS_WEI = 10**20
LOCAL_KEYSTORE_ITERATIONS = 4_096
"""Fast to unlock; for keys that are worth nothing."""
DEVELOPMENT_MNEMONIC = "test test test test test test test test test test test junk"
"""Every development node funds its first accounts; nothing of value may ever be sent to them."""
_DEVELOPMENT_ACCOUNTS = 6


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything on it; `world` is where the market stands."""

    display: Display
    past: Past
    url: str
    world: World
    settings: Settings
    keeper: Keeper


@contextmanager
def open_stage(
    console: Console, history: Path | None, rpc: str, chain_id: int, directory: Path | None
) -> Iterator[Stage]:
    """Set the stage: read or simulate the past, calibrate, start or join a chain, deploy, build the keeper.

    Parameters
    ----------
    console : Console
    history : Path or None
        Directory of real price files.
    rpc : str
        A development node that runs already; empty for a built-in one.
    chain_id : int
        Of that node.
    directory : Path or None
        Where configuration, keys, calibration and journal go; a temporary folder that stays, when None.
    """
    folder = _new_folder(directory)
    display = Display(console, REAL_LABEL if history else SIMULATED_LABEL)
    with _chain(rpc, chain_id, _past_of(display, history, rpc, chain_id)) as (url, accounts, past):
        settings = Settings(chain=ChainSettings(chain_id=chain_id, rpc_urls=(url,), maximum_head_age_seconds=0))
        with display.step("calibrating the margin model"):
            calibration = calibrate(past.prices, past.volatility, settings.model)
            save_calibration(folder / settings.calibration.artefact, calibration)
        signing, addresses, gas_address = _create_keys(folder)
        client = _client(url, chain_id)
        with display.step("deploying contracts, listing instruments, opening the book"):
            world = build_world(client, accounts, past, addresses)
            submit(world.actors.owner, gas_address, b"", value_wei=GAS_FUNDS_WEI)
        settings = settings.model_copy(update={"contracts": _contracts(world, addresses), "signing": signing})
        settings = settings.model_copy(update={"logs": LogSettings(level="error")})
        write_settings(folder / "oracle.toml", settings)
        settings = load_settings(folder / "oracle.toml")
        keeper = build_keeper(settings, dry_run=False)
        try:
            yield Stage(display, past, url, world, settings, keeper)
        finally:
            keeper.journal.close()


def _past_of(display: Display, history: Path | None, rpc: str, chain_id: int) -> Past:
    if history is not None:
        with display.step(f"reading price history from {history}"):
            return real_past(history)
    with display.step("simulating a price history"):
        now = _client(rpc, chain_id).head().timestamp if rpc else int(time.time()) - HOURS_BEHIND * SECONDS_PER_HOUR
        return simulated_past(now // SECONDS_PER_HOUR)


@contextmanager
def _chain(rpc: str, chain_id: int, past: Past) -> Iterator[tuple[str, tuple[LocalAccount, ...], Past]]:
    """Give a chain whose time is just after the past's last hour."""
    start = past.last_hour * SECONDS_PER_HOUR
    if rpc:
        head = _client(rpc, chain_id).head()
        if not start <= head.timestamp < start + SECONDS_PER_HOUR:
            raise BadPrice(
                f"the chain is at {head.timestamp}, the history ends at {start}",
                f"start the node with --timestamp {start}",
            )
        yield rpc, _development_accounts(), past
        return
    with Devnet(chain_id=chain_id, timestamp=start) as devnet:
        yield devnet.url, devnet.accounts, past


def _client(url: str, chain_id: int) -> ChainClient:
    limits = RequestLimits(timeout_seconds=60.0)
    return ChainClient([url], chain_id, maximum_head_age_seconds=None, limits=limits)


def _development_accounts() -> tuple[LocalAccount, ...]:
    Account.enable_unaudited_hdwallet_features()
    return tuple(
        Account.from_mnemonic(DEVELOPMENT_MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
        for index in range(_DEVELOPMENT_ACCOUNTS)
    )


def _create_keys(folder: Path) -> tuple[SigningSettings, tuple[str, ...], str]:
    """Create three signers and the account that pays, under a random password that stays in the folder."""
    password = SecretStr(secrets.token_urlsafe(24))
    password_file = folder / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password.get_secret_value())
    names = [f"signer-{number}.json" for number in range(1, SIGNERS + 1)]
    addresses = [create_keystore(folder / name, password, LOCAL_KEYSTORE_ITERATIONS) for name in names]
    gas_address = create_keystore(folder / "gas.json", password, LOCAL_KEYSTORE_ITERATIONS)
    signing = SigningSettings(keystores=tuple(names), gas_keystore="gas.json", password_file="password")
    return signing, tuple(addresses), gas_address


def _contracts(world: World, signers: tuple[str, ...]) -> ContractSettings:
    deployment = world.deployment
    return ContractSettings(
        oracle=deployment.oracle.address,
        exchange=deployment.exchange.address,
        lens=deployment.lens.address,
        first_block=deployment.first_block,
        signers=signers,
        threshold=THRESHOLD,
        step_threshold=STEP_THRESHOLD,
    )


def _new_folder(directory: Path | None) -> Path:
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="margin-oracle-"))
    try:
        directory.mkdir(parents=True, exist_ok=False)
    except OSError as error:
        raise BadConfiguration(f"{directory}: {error.strerror}", "name a new folder") from None
    return directory
