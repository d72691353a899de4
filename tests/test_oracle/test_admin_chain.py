"""`margin-oracle admin` on a real chain: at once, or proposed and carried out later; or printed for a multisig."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from typer.testing import CliRunner, Result

from oracle.chain.client import ChainClient, RequestLimits
from oracle.chain.contract import Contract
from oracle.chain.devnet import Devnet, mine, mine_at, revert_to_snapshot, take_snapshot
from oracle.chain.submission import execute
from oracle.chain.transactor import Transactor
from oracle.chain.wire import octets
from oracle.cli import app
from oracle.config import ChainSettings, ContractSettings, Settings, SigningSettings, write_settings
from oracle.deploy import apply
from oracle.deployed import oracle_of
from oracle.errors import BadConfiguration, Refused
from oracle.terms import ZERO_ADDRESS, Terms
from tests.conftest import QUICK_RULES
from tests.deployment_cases import SIGNER_ADDRESSES, STRANGER, as_toml, market_values, post_report, terms_for

pytestmark = pytest.mark.chain

DEPLOYER, OWNER, GUARDIAN, CUSTODIAN, SENDER = range(5)
"""Places among the chain's accounts; the first four as in `terms_for`."""
DELAY_SECONDS = 172_800
NEW_SIGNER = "0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF"


@dataclass
class Office:
    """The oracle of one test, its accounts' keystores, and the command line."""

    devnet: Devnet
    oracle: Contract
    folder: Path

    def run(self, who: int, *arguments: str, answer: str = "y\n") -> Result:
        """Run a command as the holder of an account's key."""
        options = ["--keystore", str(self.folder / f"{who}.json"), "-c", str(self.folder / "oracle.toml")]
        return CliRunner().invoke(app, ["admin", *arguments, *options], input=answer)

    def done(self, who: int, *arguments: str) -> str:
        """Run a command that has to succeed, and return what it printed."""
        result = self.run(who, *arguments)
        assert result.exit_code == 0, result.output
        return result.output

    def printed(self, *arguments: str) -> tuple[dict[str, Any], str]:
        """Return the call that a command prints for a multisig, and what it says beside it."""
        options = ["--calldata", "-c", str(self.folder / "oracle.toml")]
        result = CliRunner().invoke(app, ["admin", *arguments, *options])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout), result.stderr

    def status(self) -> str:
        result = CliRunner().invoke(app, ["admin", "status", "-c", str(self.folder / "oracle.toml")])
        assert result.exit_code == 0, result.output
        return result.output

    def call(self, function: str, *arguments: object) -> Any:
        return self.oracle.call(self.oracle.client.head(), function, *arguments)

    def transactor(self, who: int) -> Transactor:
        return Transactor(self.oracle.client, self.devnet.accounts[who], QUICK_RULES)

    def post(self, initial_ppm: int = 100_000) -> None:
        post_report(self.oracle, self.transactor(SENDER), initial_ppm)

    def wait(self, seconds: int) -> None:
        mine_at(self.oracle.client, self.oracle.client.head().timestamp + seconds)

    def address(self, who: int) -> str:
        return str(self.devnet.accounts[who].address)


@pytest.fixture(scope="module")
def devnet() -> Iterator[Devnet]:
    """Return a chain of this module's own: here its time goes on for weeks."""
    with Devnet() as devnet:
        yield devnet


@pytest.fixture(scope="module")
def folder(devnet: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a keystore for each account."""
    folder = tmp_path_factory.mktemp("office")
    (folder / "password").write_text("correct horse")
    for place, account in enumerate(devnet.accounts[:5]):
        content = Account.encrypt(account.key, "correct horse", iterations=2)
        (folder / f"{place}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def deployed(devnet: Devnet, folder: Path) -> Contract:
    """Return an oracle that was handed over; no report is in."""
    client = devnet.client(limits=RequestLimits(timeout_seconds=30.0))
    terms = terms_for(devnet.accounts)
    apply(Transactor(client, devnet.accounts[DEPLOYER], QUICK_RULES), terms, client.head().number, lambda *_: None)
    oracle = oracle_of(client, terms)
    execute(Transactor(client, devnet.accounts[OWNER], QUICK_RULES), oracle, "acceptOwnership")
    settings = Settings(
        chain=ChainSettings(rpc_urls=(devnet.url,), maximum_head_age_seconds=0),
        contracts=ContractSettings(oracle=oracle.address),
        signing=SigningSettings(password_file="password"),
    )
    write_settings(folder / "oracle.toml", settings)
    write_terms(folder / "terms.toml", terms)
    return oracle


@pytest.fixture
def office(deployed: Contract, devnet: Devnet, folder: Path) -> Iterator[Office]:
    snapshot = take_snapshot(deployed.client)
    yield Office(devnet, deployed, folder)
    revert_to_snapshot(deployed.client, snapshot)


def write_terms(path: Path, terms: Terms) -> None:
    """Write terms whose market 7 is another one and whose market 8 is new; JSON's values are TOML's."""
    values = terms.as_json()
    renamed = market_values(7, "BTC forward") | {"fallback_initial_ppm": 600_000}
    values["markets"] = [values["markets"][0], renamed, market_values(8, "SOL perpetual")]
    path.write_text(as_toml(values))


# ---------------------------------------------------------------------- the owner

SIGNERS = [part for address in (*SIGNER_ADDRESSES[:2], NEW_SIGNER) for part in ("--signer", address)]
CHANGES: dict[str, tuple[list[str], Callable[[Office], object], object]] = {
    "market": (
        ["market", "7", "--terms", "terms.toml"],
        lambda office: office.call("marketConfig", 7).fallbackInitialPpm,
        600_000,
    ),
    "signers": (
        ["signers", "--threshold", "2", "--step-threshold", "3", *SIGNERS],
        lambda office: office.call("signerSetEpoch"),
        2,
    ),
    "timing": (
        ["timing", "--heartbeat-seconds", "1800", "--dwell-seconds", "600", "--minimum-delay-seconds", "30"],
        lambda office: tuple(office.call("timing")),
        (1_800, 600, 30),
    ),
    "guardian": (["guardian", STRANGER], lambda office: office.call("guardian"), STRANGER),
    "owner-delay": (["owner-delay", "259200"], lambda office: office.call("ownerDelaySeconds"), 259_200),
    "grant-rotation": (
        ["grant-rotation", STRANGER, "--signer", SIGNER_ADDRESSES[2]],
        lambda office: office.call("rotation", STRANGER)[0],
        SIGNER_ADDRESSES[2],
    ),
    "transfer-ownership": (["transfer-ownership", STRANGER], lambda office: office.call("pendingOwner"), STRANGER),
}


def change_of(name: str, office: Office) -> tuple[list[str], Callable[[Office], object], object]:
    arguments, look, wanted = CHANGES[name]
    return [str(office.folder / part) if part == "terms.toml" else part for part in arguments], look, wanted


@pytest.mark.parametrize("name", CHANGES)
def test_before_the_first_report_a_change_is_made_at_once(office: Office, name: str) -> None:
    arguments, look, wanted = change_of(name, office)
    assert look(office) != wanted
    office.done(OWNER, *arguments)
    assert look(office) == wanted


@pytest.mark.parametrize("name", CHANGES)
def test_after_it_the_same_command_proposes_waits_and_carries_out(office: Office, name: str) -> None:
    office.post()
    arguments, look, wanted = change_of(name, office)
    before = look(office)
    output = office.done(OWNER, *arguments)
    assert "is to propose the change: " in output
    assert f"it waits {DELAY_SECONDS} s (48 h), can be carried out from about" in output
    assert look(office) == before
    early = office.run(OWNER, *arguments)
    assert early.exit_code == Refused.exit_code
    assert "is proposed and waits until" in early.output
    office.wait(DELAY_SECONDS)
    assert "is to carry out the change: " in office.done(OWNER, *arguments)
    assert look(office) == wanted


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_proposed_can_be_dropped_by_the_same_command(office: Office, name: str) -> None:
    office.post()
    arguments, look, _ = change_of(name, office)
    before = look(office)
    office.done(OWNER, *arguments, "--propose")
    assert "is to drop the change: " in office.done(OWNER, *arguments, "--cancel")
    office.wait(DELAY_SECONDS)
    late = office.run(OWNER, *arguments, "--execute")
    assert late.exit_code == Refused.exit_code
    assert "MarginOracle.NotProposed(id=0x" in late.output
    assert look(office) == before


def test_a_call_that_is_named_is_refused_by_the_contract_with_its_reason(office: Office) -> None:
    office.post()
    office.done(OWNER, "owner-delay", "7", "--propose")
    for option, reason in (("--execute", "ChangeNotReady(readyTimestamp="), ("--propose", "AlreadyProposed(id=0x")):
        result = office.run(OWNER, "owner-delay", "7", option)
        assert result.exit_code == Refused.exit_code
        assert f"MarginOracle.{reason}" in result.output
    both = office.run(OWNER, "owner-delay", "7", "--propose", "--cancel")
    assert both.exit_code == BadConfiguration.exit_code
    assert "different calls" in both.output


def test_a_call_is_tried_as_the_next_block_will_run_it(office: Office) -> None:
    office.post()
    office.done(OWNER, "owner-delay", "7")
    office.oracle.client.request("evm_increaseTime", [hex(DELAY_SECONDS)], lambda result: result)
    office.done(OWNER, "owner-delay", "7", "--execute")
    assert office.call("ownerDelaySeconds") == 7


def test_a_change_that_lapsed_is_dropped_and_proposed_anew(office: Office) -> None:
    office.post()
    office.done(OWNER, "owner-delay", "7")
    office.wait(DELAY_SECONDS + 15 * 86_400)
    lapsed = office.run(OWNER, "owner-delay", "7")
    assert lapsed.exit_code == Refused.exit_code
    assert "lapsed at" in lapsed.output and "--cancel it, then propose it anew" in lapsed.output
    assert "lapsed at" in office.status()
    office.done(OWNER, "owner-delay", "7", "--cancel")
    assert "propose the change" in office.done(OWNER, "owner-delay", "7")


def test_a_new_market_comes_from_the_terms(office: Office) -> None:
    path = str(office.folder / "terms.toml")
    output = office.done(OWNER, "market", "8", "--terms", path)
    assert "set market 8 'SOL perpetual': fallback 500008 ppm" in output
    assert office.call("marketConfig", 8).exists
    assert "now: " not in output
    assert "\nnow: fallback 500007 ppm; initial 5000 to" in office.done(OWNER, "market", "7", "--terms", path)
    unknown = office.run(OWNER, "market", "9", "--terms", path)
    assert unknown.exit_code == BadConfiguration.exit_code
    assert "has no market 9" in unknown.output


def test_the_ownership_goes_over_in_two_steps(office: Office) -> None:
    nobody = office.run(SENDER, "accept-ownership")
    assert nobody.exit_code == Refused.exit_code
    assert "on offer to nobody" in nobody.output
    office.done(OWNER, "transfer-ownership", office.address(SENDER))
    assert office.call("owner") == office.address(OWNER)
    assert f"on offer to    {office.address(SENDER)}" in office.status()
    office.done(SENDER, "accept-ownership")
    assert office.call("owner") == office.address(SENDER)


def test_a_calibration_is_announced_without_waiting(office: Office) -> None:
    office.post()
    office.done(OWNER, "announce-calibration", "0x" + "ab" * 32, "ipfs://x")
    head = office.oracle.client.head()
    (event,) = office.oracle.events("CalibrationAnnounced", 0, head.number)
    assert event.values == {"contentHash": b"\xab" * 32, "location": "ipfs://x"}


# ---------------------------------------------------------------------- guardian and custodian


def test_the_guardian_pauses_and_lets_go_on(office: Office) -> None:
    office.done(GUARDIAN, "pause")
    assert office.call("isPaused")
    assert "PAUSED" in office.status()
    office.done(GUARDIAN, "unpause")
    assert not office.call("isPaused")
    assert "posts          not paused, last 0" in office.status()


def test_the_guardian_drops_a_looser_margin_and_voids_accounts(office: Office) -> None:
    office.post(100_000)
    office.wait(3_000)
    office.post(90_000)
    state = office.call("marketState", 1)
    waiting = "market 1       'ETH perpetual', waits: initial 90000/90000, maintenance 60000/60000"
    assert state.pendingTimestamp and waiting in office.status()
    office.done(GUARDIAN, "cancel-pending", "1")
    assert office.call("marketState", 1).pendingTimestamp == 0
    assert "market 1       'ETH perpetual', waits: nothing" in office.status()
    assert office.call("latestAccounts")[0] != bytes(32)
    office.done(GUARDIAN, "void-accounts")
    assert office.call("latestAccounts")[0] == bytes(32)


def test_the_guardian_drops_a_change_by_the_id_that_status_shows(office: Office) -> None:
    office.post()
    office.done(OWNER, "owner-delay", "0")
    change_id = "0x" + keccak(office.oracle.interface.encode("setOwnerDelay", 0)).hex()
    status = office.status()
    assert f"change         {change_id} waits until" in status
    assert "               let the owner's changes wait 0 s\n" in status
    output = office.done(GUARDIAN, "cancel-change", change_id)
    assert "drop the change: let the owner's changes wait 0 s" in output
    assert "change         none is proposed" in office.status()
    again = office.run(GUARDIAN, "cancel-change", change_id)
    assert again.exit_code == Refused.exit_code
    assert f"no change {change_id} is proposed" in again.output


def test_the_guardian_cannot_keep_its_office_and_the_owner_can_think_again(office: Office) -> None:
    office.post()
    office.done(OWNER, "guardian", STRANGER)
    change_id = "0x" + keccak(office.oracle.interface.encode("setGuardian", STRANGER)).hex()
    refused = office.run(GUARDIAN, "cancel-change", change_id)
    assert refused.exit_code == BadConfiguration.exit_code
    assert f"{office.address(OWNER)} is to drop the change" in refused.output
    office.done(OWNER, "cancel-change", change_id)
    assert office.call("readyTimestamp", keccak(office.oracle.interface.encode("setGuardian", STRANGER))) == 0


def test_a_custodian_replaces_its_signer_once_a_day(office: Office) -> None:
    status = office.status()
    assert f"custodian      {office.address(CUSTODIAN)} may replace the signer {SIGNER_ADDRESSES[0]}\n" in status
    output = office.done(CUSTODIAN, "rotate-signer", NEW_SIGNER)
    assert f"put {NEW_SIGNER} in the place of the signer {SIGNER_ADDRESSES[0]}" in output
    status = office.status()
    assert f"signers        epoch 2: 2 of 3 signers, 3 beyond the step: {SIGNER_ADDRESSES[1]}" in status
    assert f"may replace the signer {NEW_SIGNER}, from " in status
    soon = office.run(CUSTODIAN, "rotate-signer", STRANGER)
    assert soon.exit_code == Refused.exit_code
    assert "MarginOracle.RotationTooSoon(allowedTimestamp=" in soon.output
    assert "Send it to" not in soon.output
    office.wait(86_400)
    office.done(CUSTODIAN, "rotate-signer", STRANGER)
    nobody = office.run(SENDER, "rotate-signer", STRANGER)
    assert nobody.exit_code == Refused.exit_code
    assert "answers for no signer in force" in nobody.output


def test_an_oracle_without_a_guardian_says_so(office: Office) -> None:
    office.done(OWNER, "guardian", ZERO_ADDRESS)
    assert "guardian       nobody (no pause, no cancelling, no voiding)" in office.status()
    refused = office.run(GUARDIAN, "pause")
    assert refused.exit_code == Refused.exit_code
    assert "has no guardian" in refused.output


# ---------------------------------------------------------------------- sending, asking, printing


def test_nothing_is_sent_without_a_yes_or_by_another_key(office: Office) -> None:
    head = office.oracle.client.head()
    declined = office.run(GUARDIAN, "pause", answer="n\n")
    assert declined.exit_code == 1
    assert f"{office.address(GUARDIAN)} is to pause posts" in declined.output
    other = office.run(SENDER, "pause", "--yes")
    assert other.exit_code == BadConfiguration.exit_code
    assert f"the key is that of {office.address(SENDER)}" in other.output
    assert office.oracle.client.head() == head
    assert office.run(GUARDIAN, "pause", "--yes", answer="").exit_code == 0


def test_a_mistyped_address_or_hash_is_refused_before_anything(office: Office) -> None:
    wrong = STRANGER.replace("A11cE", "a11cE")
    assert "wrong checksum" in office.run(OWNER, "guardian", wrong).output
    assert "is not 64 hex digits" in office.run(OWNER, "cancel-change", "0x12").output
    few = office.run(OWNER, "signers", "--threshold", "1", "--step-threshold", "2", *SIGNERS)
    assert few.exit_code == BadConfiguration.exit_code
    assert "not more than half of 3 signers" in few.output


def send_as(client: ChainClient, call: dict[str, Any]) -> bytes:
    """Send a printed call from its account without its key, as a multisig would; return the calldata as mined."""
    client.request("anvil_impersonateAccount", [call["from"]], lambda result: result)
    client.request("anvil_setBalance", [call["from"], hex(10**18)], lambda result: result)
    fields = {"from": call["from"], "to": call["to"], "data": call["data"], "value": hex(int(call["value"]))}
    sent = client.request("eth_sendTransaction", [fields], str)
    mine(client)
    assert client.request("eth_getTransactionReceipt", [sent], lambda receipt: receipt["status"]) == "0x1"
    return client.request("eth_getTransactionByHash", [sent], lambda found: octets(found["input"]))


@pytest.mark.parametrize("name", [*CHANGES, "pause", "rotate-signer"])
def test_a_printed_call_by_another_account_does_what_the_direct_one_does(office: Office, name: str) -> None:
    guardian_acts = {"pause": (["pause"], lambda office: office.call("isPaused"), True)}
    custodian = ["rotate-signer", NEW_SIGNER, "--custodian", office.address(CUSTODIAN)]
    rotations = {"rotate-signer": (custodian, lambda office: office.call("signerSetEpoch"), 2)}
    arguments, look, wanted = (guardian_acts | rotations).get(name) or change_of(name, office)
    call, words = office.printed(*arguments)
    assert call["chain_id"] == 31_337 and call["to"] == office.oracle.address and call["value"] == "0"
    assert words.startswith(f"{call['from']} is to ")
    before = look(office)
    snapshot = take_snapshot(office.oracle.client)
    printed = send_as(office.oracle.client, call)
    assert look(office) == wanted != before
    revert_to_snapshot(office.oracle.client, snapshot)
    who = {"pause": GUARDIAN, "rotate-signer": CUSTODIAN}.get(name, OWNER)
    office.done(who, *arguments)
    head = office.oracle.client.request("eth_getBlockByNumber", ["latest", True], lambda block: block)
    assert octets(head["transactions"][0]["input"]) == printed
    assert look(office) == wanted


def test_a_printed_call_that_is_refused_by_now_says_so_and_is_printed(office: Office) -> None:
    office.post()
    office.done(OWNER, "owner-delay", "7")
    call, words = office.printed("owner-delay", "7", "--execute")
    assert "refused at this moment: MarginOracle.ChangeNotReady(" in words
    office.wait(DELAY_SECONDS)
    send_as(office.oracle.client, call)
    assert office.call("ownerDelaySeconds") == 7


def test_a_printed_rotation_needs_to_know_the_custodian(office: Office) -> None:
    options = ["--calldata", "-c", str(office.folder / "oracle.toml")]
    result = CliRunner().invoke(app, ["admin", "rotate-signer", NEW_SIGNER, *options])
    assert result.exit_code == BadConfiguration.exit_code
    assert "give --custodian" in result.output


def test_status_needs_the_events_of_the_whole_life(office: Office) -> None:
    office.wait(12)
    text = (office.folder / "oracle.toml").read_text()
    late = office.folder / "late.toml"
    late.write_text(text.replace("first_block = 0", f"first_block = {office.oracle.client.head().number}"))
    result = CliRunner().invoke(app, ["admin", "status", "-c", str(late)])
    assert result.exit_code == 65
    assert "do not tell of its creation from block" in result.output
    assert "let the first block (contracts.first_block, --first-block) be that of its deployment" in result.output
    options = ["--keystore", str(office.folder / f"{CUSTODIAN}.json"), "-c", str(late)]
    rotated = CliRunner().invoke(app, ["admin", "rotate-signer", NEW_SIGNER, *options])
    assert rotated.exit_code == 65
    assert "do not tell of the signer set 0x" in rotated.output
