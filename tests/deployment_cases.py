"""Terms of deployments for tests, and an oracle that was deployed by them, handed over, and posted to."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_keys.datatypes import PrivateKey

from oracle.chain.contract import Contract
from oracle.chain.devnet import mine
from oracle.chain.submission import execute
from oracle.chain.transactor import Transactor
from oracle.packing import pack
from oracle.report import Domain, digest
from oracle.signer import compact
from oracle.terms import ZERO_ADDRESS, Terms
from oracle.types import MarginReport, MarketMargin, SignerSet

SIGNER_ACCOUNTS = tuple(
    sorted((Account.from_key(bytes([n]) * 32) for n in (11, 12, 13)), key=lambda account: account.address.lower())
)
SIGNER_ADDRESSES = tuple(account.address for account in SIGNER_ACCOUNTS)
STRANGER = "0x00000000000000000000000000000000000A11cE"
_LIMITS: dict[str, dict[str, int]] = {
    "initial_ppm": {
        "minimum": 5_000,
        "maximum": 900_000,
        "step_relative_ppm": 500_000,
        "step_minimum": 50_000,
        "fall_hourly": 40_001,
    },
    "maintenance_ppm": {"minimum": 3_000, "maximum": 800_000, "rise_hourly": 60_000, "fall_hourly": 40_002},
    "slope_ppm_per_million_usd": {
        "minimum": 0,
        "maximum": 700_000,
        "step_relative_ppm": 400_000,
        "step_minimum": 30_000,
        "fall_hourly": 40_003,
    },
}


def market_values(market_id: int, name: str) -> dict[str, Any]:
    """Return a market as it stands in terms; every limit is another number."""
    return {"market_id": market_id, "name": name, "fallback_initial_ppm": 500_000 + market_id, **deepcopy(_LIMITS)}


def term_values(accounts: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    """Return terms as a file gives them.

    Parameters
    ----------
    accounts : tuple of str
        Deployer, owner, guardian and custodian.
    changes
        Of keys at the top.
    """
    deployer, owner, guardian, custodian = accounts or tuple(f"0x{number:040x}" for number in (1, 2, 3, 4))
    values: dict[str, Any] = {
        "chain_id": 31_337,
        "is_local_chain": True,
        "salt": "0x" + "07" * 32,
        "deployer": deployer,
        "owner": owner,
        "guardian": guardian,
        "owner_delay_seconds": 172_800,
        "block_hash_source": "evm",
        "sequencer_uptime_feed": ZERO_ADDRESS,
        "sequencer_grace_seconds": 3_600,
        "with_lens": True,
        "timing": {"heartbeat_seconds": 3_600, "dwell_seconds": 1_800, "minimum_delay_seconds": 60},
        # Not ascending: the contract wants them so, the terms do not.
        "signers": {"threshold": 2, "step_threshold": 3, "addresses": list(reversed(SIGNER_ADDRESSES))},
        "custodians": [{"custodian": custodian, "signer": SIGNER_ADDRESSES[0]}],
        "markets": [market_values(1, "ETH perpetual"), market_values(7, "BTC future")],
    }
    return values | changes


def terms_for(accounts: tuple[LocalAccount, ...], **changes: Any) -> Terms:
    """Return terms whose deployer, owner, guardian and custodian are the first four accounts."""
    return Terms.model_validate(term_values(tuple(account.address for account in accounts[:4]), **changes))


def as_toml(values: dict[str, Any]) -> str:
    """Return JSON values as the text of a TOML file; but for tables they are written alike."""
    return "\n".join(f"{key} = {_toml(value)}" for key, value in values.items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value)


def post_report(oracle: Contract, sender: Transactor, initial_ppm: int = 100_000) -> None:
    """Post a report of market 1 at the block before, so that the owner's changes wait from now on."""
    client = oracle.client
    stamp = client.head()
    mine(client)
    report = MarginReport(
        signer_set_epoch=oracle.call(stamp, "signerSetEpoch"),
        sequence=oracle.call(stamp, "lastSequence") + 1,
        reference_block=stamp.number,
        reference_block_hash=stamp.hash,
        reference_timestamp=stamp.timestamp,
        valid_until=stamp.timestamp + 1_800,
        model_hash=b"\x01" * 32,
        details_hash=b"\x02" * 32,
        accounts_root=b"\x03" * 32,
        account_count=1,
        exceeds_step=False,
        markets=(MarketMargin(1, initial_ppm, initial_ppm, 60_000, 60_000, 5_000, 5_000),),
    )
    message = digest(report, Domain(client.chain_id, oracle.address))
    signatures = [
        compact(account.address, PrivateKey(bytes(account.key)).sign_msg_hash(message))
        for account in SIGNER_ACCOUNTS[:2]
    ]
    execute(
        sender, oracle, "post", pack(report, SignerSet(report.signer_set_epoch, 2, 3, SIGNER_ADDRESSES), signatures)
    )
