"""Deploying on a real chain: by plan, once, from wherever it was interrupted, and handed over only when it is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rlp
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from typer.testing import CliRunner, Result

from oracle.chain.client import ChainClient
from oracle.chain.create2 import PROXY, PROXY_COST_WEI, PROXY_SENDER, PROXY_TRANSACTION, require_proxy
from oracle.chain.devnet import Devnet, mine, set_automine
from oracle.chain.submission import execute, submit
from oracle.chain.transaction import Receipt, SignedTransaction
from oracle.chain.transactor import Transactor
from oracle.cli import app
from oracle.config import ChainSettings, Settings, SigningSettings, write_settings
from oracle.deploy import HISTORY_CONTRACT, Step, apply, make_plan
from oracle.deploy_record import make_record, read_record, write_record
from oracle.deployed import creations, differences, oracle_of
from oracle.errors import (
    BadConfiguration,
    BadData,
    Difference,
    Refused,
    StorageFailure,
    TransactionUnknown,
    WrongContract,
)
from oracle.terms import ZERO_ADDRESS, Terms
from tests.conftest import QUICK_RULES
from tests.deployment_cases import SIGNER_ADDRESSES, STRANGER, as_toml, market_values, term_values, terms_for

pytestmark = pytest.mark.chain

STEPS = 7
"""Two contracts, signers, a custodian, two markets, the offer."""


class Crash(BaseException):
    """The process dies here; nothing in the product catches it."""


class DyingTransactor(Transactor):
    """A transactor whose process dies around its n-th sending."""

    sendings_left = 0
    dies_after_sending = False

    def send(self, signed: SignedTransaction) -> None:
        self.sendings_left -= 1
        if self.sendings_left < 0 and not self.dies_after_sending:
            raise Crash
        super().send(signed)
        if self.sendings_left < 0:
            raise Crash


@pytest.fixture
def terms(anvil: Devnet) -> Terms:
    return terms_for(anvil.accounts)


@pytest.fixture
def by_deployer(client: ChainClient, anvil: Devnet) -> Transactor:
    return Transactor(client, anvil.accounts[0], QUICK_RULES)


@pytest.fixture
def first_block(client: ChainClient) -> int:
    return client.head().number


def ignore(_: Step, __: Receipt) -> None:
    pass


def owners(client: ChainClient, terms: Terms) -> tuple[str, str]:
    """Return the owner and whom the ownership is on offer to."""
    oracle, head = oracle_of(client, terms), client.head()
    return oracle.call(head, "owner"), oracle.call(head, "pendingOwner")


# ---------------------------------------------------------------------- plan and apply


def test_a_plan_names_addresses_before_anything_is_there_and_sends_nothing(client: ChainClient, terms: Terms) -> None:
    head = client.head()
    plan = make_plan(client, head, terms, None)
    assert [step.is_done for step in plan.steps] == [False] * STEPS
    assert plan.owner == terms.deployer
    oracle, lens = plan.contracts
    assert plan.steps[0].words == f"create MarginOracle at {oracle.address}"
    assert plan.steps[1].words == f"create BookLens at {lens.address}"
    assert {step.to for step in plan.steps[:2]} == {PROXY}
    assert {step.to for step in plan.steps[2:]} == {oracle.address}
    assert plan.hand_over.words == f"offer the ownership to {terms.owner}, who has to accept it"
    assert client.head() == head


def test_everything_ends_as_the_terms_say_and_the_owner_accepts(
    client: ChainClient, terms: Terms, by_deployer: Transactor, anvil: Devnet, first_block: int
) -> None:
    told: list[str] = []
    apply(by_deployer, terms, first_block, lambda step, _: told.append(step.words))
    assert len(told) == STEPS
    head, oracle = client.head(), oracle_of(client, terms)
    assert client.code(head, creations(terms)[1].address) == creations(terms)[1].artefact.deployed_bytecode
    held = oracle.call(head, "marketConfig", 7)
    assert tuple(held.slope) == (0, 700_000, 400_000, 30_000, 0, 40_003)
    assert oracle.call(head, "rotation", anvil.accounts[3].address)[0] == SIGNER_ADDRESSES[0]
    assert owners(client, terms) == (terms.deployer, terms.owner)
    owner = Transactor(client, anvil.accounts[1], QUICK_RULES)
    execute(owner, oracle, "acceptOwnership")
    assert owners(client, terms) == (terms.owner, ZERO_ADDRESS)
    head = client.head()
    assert differences(client, head, terms, first_block) == ()


def test_what_is_done_is_not_sent_twice(
    client: ChainClient, terms: Terms, by_deployer: Transactor, first_block: int
) -> None:
    apply(by_deployer, terms, first_block, ignore)
    head = client.head()
    assert all(step.is_done for step in make_plan(client, head, terms, first_block).steps)
    apply(by_deployer, terms, first_block, ignore)
    assert client.head() == head


@pytest.mark.parametrize("dies_after_sending", [False, True])
@pytest.mark.parametrize("sent", range(STEPS))
def test_an_interruption_anywhere_leads_to_the_same_end(
    client: ChainClient, terms: Terms, anvil: Devnet, first_block: int, sent: int, dies_after_sending: bool
) -> None:
    dying = DyingTransactor(client, anvil.accounts[0], QUICK_RULES)
    dying.sendings_left, dying.dies_after_sending = sent, dies_after_sending
    nonce = dying.next_nonce()
    with pytest.raises(Crash):
        apply(dying, terms, first_block, ignore)
    mine(client)  # what was sent last may still be in the pool
    assert dying.next_nonce() == nonce + sent + dies_after_sending
    apply(Transactor(client, anvil.accounts[0], QUICK_RULES), terms, first_block, ignore)
    assert dying.next_nonce() == nonce + STEPS
    assert owners(client, terms) == (terms.deployer, terms.owner)


def test_what_is_in_flight_is_waited_for(
    client: ChainClient, terms: Terms, anvil: Devnet, by_deployer: Transactor, first_block: int
) -> None:
    dying = DyingTransactor(client, anvil.accounts[0], QUICK_RULES)
    dying.sendings_left, dying.dies_after_sending = 2, True
    set_automine(client, False)
    try:
        creation = creations(terms)[0]
        by_deployer.send(by_deployer.prepare(PROXY, creation.data))
        with pytest.raises(TransactionUnknown, match="in flight"):
            apply(by_deployer, terms, first_block, ignore)
    finally:
        mine(client)
        set_automine(client, True)
    apply(by_deployer, terms, first_block, ignore)
    assert owners(client, terms) == (terms.deployer, terms.owner)


def test_whoever_creates_it_first_gains_nothing(
    client: ChainClient, terms: Terms, by_deployer: Transactor, anvil: Devnet, first_block: int
) -> None:
    submit(Transactor(client, anvil.accounts[8], QUICK_RULES), PROXY, creations(terms)[0].data)
    assert owners(client, terms) == (terms.deployer, ZERO_ADDRESS)
    with pytest.raises(BadConfiguration, match="--first-block"):
        make_plan(client, client.head(), terms, None)
    apply(by_deployer, terms, first_block, ignore)
    assert owners(client, terms) == (terms.deployer, terms.owner)


def test_only_the_deployer_of_the_terms_applies_them(
    client: ChainClient, terms: Terms, anvil: Devnet, first_block: int
) -> None:
    with pytest.raises(BadConfiguration, match=f"deployer of the terms is {terms.deployer}"):
        apply(Transactor(client, anvil.accounts[1], QUICK_RULES), terms, first_block, ignore)


def test_corrected_terms_are_applied_until_it_is_handed_over(
    client: ChainClient, terms: Terms, by_deployer: Transactor, anvil: Devnet, first_block: int
) -> None:
    apply(by_deployer, terms, first_block, ignore)
    corrected = terms_for(anvil.accounts, markets=[market_values(1, "ETH perp"), market_values(7, "BTC future")])
    told: list[str] = []
    apply(by_deployer, corrected, first_block, lambda step, _: told.append(step.words))
    assert len(told) == 1
    assert "market 1 'ETH perp'" in told[0]
    execute(Transactor(client, anvil.accounts[1], QUICK_RULES), oracle_of(client, terms), "acceptOwnership")
    with pytest.raises(Refused, match=f"belongs to {terms.owner} by now, and 1 steps are left"):
        apply(by_deployer, terms, first_block, ignore)


def test_another_salt_deployer_or_setup_is_another_address_and_nothing_else_is(anvil: Devnet) -> None:
    base = creations(terms_for(anvil.accounts))[0].address
    swapped = (anvil.accounts[9], *anvil.accounts[1:4])
    others = [
        terms_for(anvil.accounts, salt="0x" + "08" * 32),
        terms_for(swapped),
        terms_for(anvil.accounts, owner_delay_seconds=172_801),
        terms_for(anvil.accounts, guardian=STRANGER),
    ]
    same = [terms_for(anvil.accounts, owner=STRANGER), terms_for(anvil.accounts, markets=[market_values(2, "x")])]
    assert len({base, *(creations(one)[0].address for one in others)}) == 5
    assert {creations(one)[0].address for one in same} == {base}


# ---------------------------------------------------------------------- what must not be handed over


def tamper(client: ChainClient, address: str, place: int) -> None:
    """Change one byte of the code at an address."""
    code = bytearray(client.code(client.head(), address))
    code[place] ^= 1
    client.request("anvil_setCode", [address, "0x" + code.hex()], lambda result: result)
    mine(client)


def test_a_byte_of_code_that_differs_is_found_wherever_it_is(
    client: ChainClient, terms: Terms, by_deployer: Transactor, first_block: int
) -> None:
    apply(by_deployer, terms, first_block, ignore)
    for creation, place in zip(creations(terms), (-1, 100), strict=True):
        length = len(client.code(client.head(), creation.address))
        tamper(client, creation.address, place)
        (found,) = differences(client, client.head(), terms, first_block)
        assert found.startswith(f"{creation.artefact.name} at {creation.address}: {length} bytes of code")
        assert found.endswith(f"different from byte {place % length} on")
        with pytest.raises(WrongContract, match="of another release, or somebody else's"):
            apply(by_deployer, terms, first_block, ignore)
        tamper(client, creation.address, place)


def test_an_immutable_of_its_own_address_is_code_too(
    client: ChainClient, terms: Terms, by_deployer: Transactor, first_block: int
) -> None:
    """A copy of the right code at another address, or of other arguments, is not the right code."""
    apply(by_deployer, terms, first_block, ignore)
    address = creations(terms)[0].address
    code = client.code(client.head(), address)
    own_address = bytes.fromhex(address[2:])
    assert own_address in code
    copied = code.replace(own_address, bytes.fromhex(STRANGER[2:]))
    client.request("anvil_setCode", [address, "0x" + copied.hex()], lambda result: result)
    (found,) = differences(client, client.head(), terms, first_block)
    assert f"different from byte {code.index(own_address)} on" in found


def test_what_the_terms_do_not_name_stops_the_handing_over(
    client: ChainClient, terms: Terms, by_deployer: Transactor, anvil: Devnet, first_block: int
) -> None:
    submit(by_deployer, PROXY, creations(terms)[0].data)
    oracle = oracle_of(client, terms)
    execute(by_deployer, oracle, "grantRotation", STRANGER, SIGNER_ADDRESSES[1])
    execute(by_deployer, oracle, "configureMarket", 9, "stray", terms.markets[0].as_struct())
    execute(by_deployer, oracle, "proposeChange", oracle.interface.encode("setOwnerDelay", 0))
    execute(Transactor(client, anvil.accounts[2], QUICK_RULES), oracle, "pause")
    with pytest.raises(Difference) as caught:
        apply(by_deployer, terms, first_block, ignore)
    for fault in (
        f"custodian {STRANGER}: nothing in the terms, {SIGNER_ADDRESSES[1]} on chain",
        "market 9 name: nothing in the terms, 'stray' on chain",
        "let the owner's changes wait 0 s on chain",
        "paused: False in the terms, True on chain",
    ):
        assert fault in str(caught.value)
    assert owners(client, terms) == (terms.deployer, ZERO_ADDRESS)


def test_every_value_of_the_terms_is_compared(
    client: ChainClient, terms: Terms, by_deployer: Transactor, first_block: int
) -> None:
    """Terms that differ from the chain's in one value each are told apart from it."""
    apply(by_deployer, terms, first_block, ignore)
    head = client.head()
    values = term_values(tuple(getattr(terms, name) for name in ("deployer", "owner", "guardian")) + (STRANGER,))
    (moved, granted) = differences(client, head, Terms.model_validate(values), first_block)
    assert moved.startswith("custodian") and granted.startswith("custodian")
    for group in ("initial_ppm", "maintenance_ppm", "slope_ppm_per_million_usd"):
        for limit in term_values()["markets"][1][group]:
            changed = terms.as_json()
            changed["markets"][1][group][limit] += 1
            (found,) = differences(client, head, Terms.model_validate(changed), first_block)
            held = changed["markets"][1][group][limit] - 1
            assert found == f"market 7 {group}.{limit}: {held + 1} in the terms, {held} on chain"
    changed = terms.as_json()
    changed["signers"]["addresses"][0] = STRANGER
    (found,) = differences(client, head, Terms.model_validate(changed | {"custodians": []}), first_block)[1:]
    assert found.startswith("signers addresses: ")


def test_another_owner_is_a_difference(
    client: ChainClient, terms: Terms, by_deployer: Transactor, first_block: int
) -> None:
    apply(by_deployer, terms, first_block, ignore)
    execute(by_deployer, oracle_of(client, terms), "transferOwnership", STRANGER)
    (found,) = differences(client, client.head(), terms, first_block)
    assert found == f"owner: {terms.owner} in the terms, {terms.deployer}, on offer to {STRANGER} on chain"
    apply(by_deployer, terms, first_block, ignore)
    assert owners(client, terms) == (terms.deployer, terms.owner)


# ---------------------------------------------------------------------- what the chain must have


def set_code(client: ChainClient, address: str, code: str) -> None:
    client.request("anvil_setCode", [address, code], lambda result: result)


def test_a_chain_without_the_proxy_is_told_how_to_get_it_and_that_works(client: ChainClient, terms: Terms) -> None:
    sender = Account.recover_transaction("0x" + PROXY_TRANSACTION.hex())
    assert sender == PROXY_SENDER
    assert to_checksum_address(keccak(rlp.encode([bytes.fromhex(sender[2:]), 0]))[12:]) == PROXY
    set_code(client, PROXY, "0x")
    with pytest.raises(WrongContract) as caught:
        make_plan(client, client.head(), terms, None)
    raw = next(word for word in str(caught.value).split() if word == "0x" + PROXY_TRANSACTION.hex())
    assert f"send {PROXY_COST_WEI} wei to {PROXY_SENDER}" in str(caught.value)
    client.request("anvil_setNonce", [PROXY, "0x0"], lambda result: result)
    client.request("anvil_setBalance", [PROXY_SENDER, hex(PROXY_COST_WEI)], lambda result: result)
    client.request("eth_sendRawTransaction", [raw], lambda result: result)
    mine(client)
    require_proxy(client, client.head())


def test_other_code_in_place_of_the_proxy_is_refused(client: ChainClient, terms: Terms) -> None:
    set_code(client, PROXY, "0x00")
    with pytest.raises(WrongContract, match="is not the deterministic deployment proxy"):
        make_plan(client, client.head(), terms, None)


def test_a_source_that_can_never_be_changed_is_tried_first(client: ChainClient, anvil: Devnet) -> None:
    head = client.head()
    make_plan(client, head, terms_for(anvil.accounts, block_hash_source="eip_2935"), None)
    with pytest.raises(WrongContract, match=f"no sequencer uptime feed answers at {STRANGER}"):
        make_plan(client, head, terms_for(anvil.accounts, sequencer_uptime_feed=STRANGER), None)
    set_code(client, HISTORY_CONTRACT, "0x")
    mine(client)
    with pytest.raises(WrongContract, match="no history contract of EIP-2935"):
        make_plan(client, client.head(), terms_for(anvil.accounts, block_hash_source="eip_2935"), None)


def test_a_sequencer_feed_that_answers_passes(client: ChainClient, anvil: Devnet) -> None:
    # PUSH1 160, PUSH0, RETURN: five words of zeros.
    set_code(client, STRANGER, "0x60a05ff3")
    make_plan(client, client.head(), terms_for(anvil.accounts, sequencer_uptime_feed=STRANGER), None)
    set_code(client, STRANGER, "0x60805ff3")
    with pytest.raises(WrongContract, match="no sequencer uptime feed"):
        make_plan(client, client.head(), terms_for(anvil.accounts, sequencer_uptime_feed=STRANGER), None)


# ---------------------------------------------------------------------- the deployment file and the command line


def test_the_file_tells_what_was_deployed_and_reads_back(
    client: ChainClient, terms: Terms, by_deployer: Transactor, first_block: int, tmp_path: Path
) -> None:
    path = tmp_path / "deployment.json"
    before = make_record(client, client.head(), terms, first_block)
    write_record(path, before)
    assert read_record(path) == before
    assert [one.code_hash for one in before.contracts] == ["", ""]
    receipts: list[Receipt] = []
    apply(by_deployer, terms, first_block, lambda _, receipt: receipts.append(receipt))
    record = make_record(client, client.head(), terms, first_block)
    write_record(path, record)
    held = json.loads(path.read_text())
    assert held["contracts"]["MarginOracle"]["address"] == creations(terms)[0].address
    assert held["terms_hash"] == terms.content_hash()
    assert held["first_block"] == receipts[0].block_number
    created, *others = held["transactions"]
    assert created["events"][0] == "OwnershipTransferred" and created["block"] == receipts[0].block_number
    # The lens announces nothing.
    said = [receipt.transaction_hash for receipt in (receipts[0], *receipts[2:])]
    assert [one["hash"] for one in (created, *others)] == ["0x" + one.hex() for one in said]
    assert [one["events"] for one in others] == [
        ["SignerSetChanged"],
        ["RotationGranted"],
        ["MarketConfigured"],
        ["MarketConfigured"],
        ["OwnershipTransferStarted"],
    ]


def test_a_file_that_was_altered_is_refused(client: ChainClient, terms: Terms, tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    write_record(path, make_record(client, client.head(), terms, 0))
    held = json.loads(path.read_text())
    altered = [
        (held | {"terms_hash": "0x" + "00" * 32}, BadConfiguration, "its terms hash to"),
        (held | {"terms": held["terms"] | {"salt": "0x" + "01" * 32}}, BadConfiguration, "its terms hash to"),
        (held | {"contracts": {"MarginOracle": held["contracts"]["MarginOracle"]}}, BadConfiguration, "names Margin"),
        (held | {"contracts": "none"}, BadConfiguration, "not as it was written"),
        (held | {"terms": None}, BadConfiguration, "valid dictionary"),
    ]
    moved = {name: one | {"address": STRANGER} for name, one in held["contracts"].items()}
    altered.append((held | {"contracts": moved}, Difference, f"at {STRANGER} by the file"))
    for content, kind, message in altered:
        path.write_text(json.dumps(content))
        with pytest.raises(kind, match=message):
            read_record(path)
    path.write_text("{")
    with pytest.raises(BadConfiguration, match="is not JSON"):
        read_record(path)
    with pytest.raises(BadConfiguration, match="deployment file"):
        read_record(tmp_path / "missing.json")
    with pytest.raises(StorageFailure, match="cannot write"):
        write_record(tmp_path / "missing" / "x.json", make_record(client, client.head(), terms, 0))


class Desk:
    """The command line in a folder with terms, a configuration and the deployer's keystore."""

    def __init__(self, folder: Path, anvil: Devnet, terms: Terms) -> None:
        self.folder, self.url = folder, anvil.url
        (folder / "password").write_text("correct horse")
        keystore = Account.encrypt(anvil.accounts[0].key, "correct horse", iterations=2)
        (folder / "gas.json").write_text(json.dumps(keystore))
        chain = ChainSettings(rpc_urls=(anvil.url,), maximum_head_age_seconds=0)
        signing = SigningSettings(gas_keystore="gas.json", password_file="password")
        write_settings(folder / "oracle.toml", Settings(chain=chain, signing=signing))
        self.write_terms(terms)

    def write_terms(self, terms: Terms) -> None:
        (self.folder / "deployment.toml").write_text(as_toml(terms.as_json()))

    def run(self, command: str, *options: str, answer: str = "y\n") -> Result:
        files = {
            "--terms": "deployment.toml",
            "--file": "deployment.json",
            "--config": "oracle.toml",
        }
        if command == "verify":
            del files["--terms"]
        named = [part for option, name in files.items() for part in (option, str(self.folder / name))]
        return CliRunner().invoke(app, ["deploy", command, *named, *options], input=answer)


@pytest.fixture
def desk(client: ChainClient, anvil: Devnet, terms: Terms, tmp_path: Path) -> Desk:
    return Desk(tmp_path, anvil, terms)


def test_plan_apply_and_verify_from_the_command_line(client: ChainClient, terms: Terms, desk: Desk) -> None:
    planned = desk.run("plan", "--rpc", desk.url, "--calldata")
    assert planned.exit_code == 0, planned.output
    assert f"  1  to do  create MarginOracle at {creations(terms)[0].address}\n" in planned.output
    assert f"to {PROXY}, data 0x{creations(terms)[0].data.hex()}" in planned.output
    assert not (desk.folder / "deployment.json").exists()
    applied = desk.run("apply")
    assert applied.exit_code == 0, applied.output
    assert f"Send {STEPS} transactions from {terms.deployer} on chain 31337?" in applied.output
    assert f'oracle = "{creations(terms)[0].address}"' in applied.output
    verified = desk.run("verify", "--rpc", desk.url)
    assert verified.exit_code == 0, verified.output
    assert verified.output.startswith("equal: BookLens 0x")
    assert f"MarginOracle {creations(terms)[0].address} on chain 31337 in block" in verified.output
    assert f"owner {terms.deployer} until {terms.owner} accepts" in verified.output
    again = desk.run("apply", answer="")
    assert again.exit_code == 0, again.output
    assert "to do" not in again.output and "Send" not in again.output
    tamper(client, creations(terms)[0].address, 7)
    broken = desk.run("verify")
    assert broken.exit_code == 1
    assert "different from byte 7 on" in broken.output


def test_an_interrupted_command_goes_on_by_its_file(
    client: ChainClient, terms: Terms, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sendings = iter(range(3))
    send = Transactor.send

    def die_later(self: Transactor, signed: SignedTransaction) -> None:
        if next(sendings, None) is None:
            raise Crash
        send(self, signed)

    with monkeypatch.context() as patch:
        patch.setattr(Transactor, "send", die_later)
        with pytest.raises(Crash):
            desk.run("apply", "--yes")
    partly = desk.run("plan")
    assert (partly.output.count("  done   "), partly.output.count("  to do  ")) == (3, 4)
    assert desk.run("apply", "--yes").exit_code == 0
    assert owners(client, terms) == (terms.deployer, terms.owner)


def test_no_is_no_and_leaves_no_file(client: ChainClient, desk: Desk) -> None:
    head = client.head()
    assert desk.run("apply", answer="n\n").exit_code == 1
    assert client.head() == head
    assert not (desk.folder / "deployment.json").exists()


def test_a_file_of_another_deployment_is_not_overwritten(client: ChainClient, desk: Desk, anvil: Devnet) -> None:
    assert desk.run("apply", "--yes").exit_code == 0
    before = (desk.folder / "deployment.json").read_text()
    desk.write_terms(terms_for(anvil.accounts, salt="0x" + "09" * 32))
    other = desk.run("apply", "--yes")
    assert other.exit_code == BadConfiguration.exit_code
    assert "name another --file" in other.output
    assert (desk.folder / "deployment.json").read_text() == before


def test_a_lost_file_is_written_again_from_the_chain(desk: Desk) -> None:
    assert desk.run("apply", "--yes").exit_code == 0
    path = desk.folder / "deployment.json"
    before = path.read_text()
    path.unlink()
    lost = desk.run("apply", "--yes")
    assert lost.exit_code == BadConfiguration.exit_code
    assert "give --first-block" in lost.output
    assert desk.run("apply", "--yes", "--first-block", "0").exit_code == 0
    assert path.read_text() == before


def test_a_first_block_after_the_creation_hides_nothing(desk: Desk) -> None:
    assert desk.run("apply", "--yes").exit_code == 0
    path = desk.folder / "deployment.json"
    held = json.loads(path.read_text())
    path.write_text(json.dumps(held | {"first_block": held["first_block"] + 1}))
    hidden = desk.run("verify")
    assert hidden.exit_code == BadData.exit_code
    assert "do not tell of its creation" in hidden.output


def test_a_configuration_of_another_chain_is_refused(desk: Desk) -> None:
    path = desk.folder / "oracle.toml"
    path.write_text(path.read_text().replace("chain_id = 31337", "chain_id = 1"))
    for command in ("plan", "apply"):
        refused = desk.run(command)
        assert refused.exit_code == BadConfiguration.exit_code
        assert "the terms are for chain 31337, the configuration for 1" in refused.output


def test_no_output_holds_the_key_or_the_password(desk: Desk, anvil: Devnet) -> None:
    output = desk.run("apply", "--yes").output + (desk.folder / "deployment.json").read_text()
    assert "correct horse" not in output
    assert anvil.accounts[0].key.hex().removeprefix("0x") not in output
