"""The contract's bytecode next to a model written from its interface's words: equal in every answer.

Sequences of posts, changes, pauses, rotations and waits are drawn against the model's state, so that most of them are
close to some limit. After each step the result or the error, the logs, and every read are compared byte for byte. The
suite runs a few hundred sequences, `scripts/contracts model` as many as asked for; the same each time.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from eth_hash.auto import keccak
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.oracle_draws import (
    CONFIGS,
    DEFAULT,
    FIRST_SET,
    FIRST_VALUES,
    GUARDIAN,
    MARKETS,
    MARKETS_READ,
    OWNER,
    PEOPLE,
    UINT32_MAX,
    around,
    changes,
    mostly,
    signer_sets,
)
from tests.oracle_evm import FEED, calldata
from tests.oracle_model import (
    CHANGE_LIFETIME_SECONDS,
    DAY,
    ZERO,
    ZERO_HASH,
    Leaf,
    MarketConfig,
    OracleModel,
    Report,
    Setup,
    Timing,
    largest_change,
    largest_step,
)
from tests.oracle_pair import (
    ARB_SYS,
    CUSTODIANS,
    EIP_2935,
    EVM,
    HISTORY_BLOCKS,
    NEVER_CONFIGURED,
    START,
    STRANGER,
    Pair,
    Proven,
)
from tests.signed_reports import ADDRESSES, MISWRAPPED, SPOILT, Packed, pack, wrap

pytestmark = pytest.mark.fast

SHARE, STEPS = 100, 30
"""Sequences of one test, steps of one sequence."""


class Machine(RuleBasedStateMachine):
    """What may happen to the contract."""

    def __init__(self) -> None:
        super().__init__()
        self.proposed: list[bytes] = []
        self.accepted: list[bytes] = []
        self.leaves: list[Proven] = []
        self.drafted: list[Proven] = []
        self.salt = 0

    # ------------------------------------------------------------------ beginning

    @initialize(
        source=mostly(EVM, EIP_2935, ARB_SYS),
        has_feed=st.booleans(),
        guardian=mostly(GUARDIAN, ZERO),
        timing=st.builds(Timing, st.just(3_600), st.sampled_from((0, 600, 600, 7_200)), st.sampled_from((0, 120, 900))),
        owner_delay=st.sampled_from((0, 3_600)),
        config=st.sampled_from(CONFIGS),
    )
    def deploy(
        self, source: int, has_feed: bool, guardian: str, timing: Timing, owner_delay: int, config: MarketConfig
    ) -> None:
        feed, grace = (FEED, 900) if has_feed else (ZERO, 0)
        setup = Setup(OWNER, guardian, source, timing, owner_delay, feed, grace)
        self.pair = Pair(setup)
        self.pair.same(OWNER, "setSigners", FIRST_SET)
        self.pair.same(OWNER, "configureMarket", 1, "ETH-PERP", DEFAULT)
        self.pair.same(OWNER, "configureMarket", 2, "BTC-PERP", config)
        self.pair.same(OWNER, "grantRotation", CUSTODIANS[0], FIRST_SET.signers[0])

    @property
    def model(self) -> OracleModel:
        """The model."""
        return self.pair.model

    def sender(self, data: st.DataObject, usual: str) -> str:
        """Draw a sender."""
        return str(data.draw(st.sampled_from((usual if usual != ZERO else STRANGER,) * 20 + PEOPLE)))

    # ------------------------------------------------------------------ time

    def deadlines(self) -> list[int]:
        """Return the times at which something begins or ends."""
        model, now = self.model, self.pair.world.timestamp
        timing = model.timing
        found = [model.previous_until]
        found += [root.reference_timestamp + timing.heartbeat_seconds for root in (model.latest, model.previous)]
        for market in model.markets.values():
            found += [market.pending_timestamp, market.reference_timestamp + timing.heartbeat_seconds]
            found += [market.last_rise_timestamp + timing.minimum_delay_seconds, market.last_rise_timestamp + 65_535]
        found += [self.pair.world.sequencer_started + model.setup.sequencer_grace_seconds]
        found += [allowed for _, allowed in model.rotations.values()]
        found += [ready + late for ready in model.ready.values() for late in (0, CHANGE_LIFETIME_SECONDS)]
        return sorted({each for each in found if now < each < now + 10**8})

    @rule(data=st.data(), blocks=mostly(1, 2, 5, 200, 300))
    def wait(self, data: st.DataObject, blocks: int) -> None:
        now, deadlines = self.pair.world.timestamp, self.deadlines()
        if deadlines and data.draw(st.booleans(), "to a deadline"):
            timestamp = max(now, data.draw(st.sampled_from(deadlines)) + data.draw(around))
        else:
            timestamp = now + data.draw(st.sampled_from((0, 1, 12, 12, 60, 300, 3_600, 2 * DAY)))
        world = self.pair.world._replace(number=self.pair.world.number + blocks, timestamp=timestamp)
        self.pair.enter(world)

    @precondition(lambda self: self.pair.world.timestamp <= self.model.previous_until)
    @rule(off=around)
    def outlive_the_root_before(self, off: int) -> None:
        world = self.pair.world
        timestamp = max(world.timestamp, self.model.previous_until + off)
        self.pair.enter(world._replace(number=world.number + 1, timestamp=timestamp))

    @precondition(lambda self: self.model.setup.sequencer_uptime_feed != ZERO)
    @rule(
        answer=mostly(0, 1, 2, -1),
        ago=st.sampled_from((0, 1, 899, 900, 900, 901, 3_600, 3_600, -1, None)),
        is_broken=st.sampled_from((False, False, False, True)),
    )
    def sequencer(self, answer: int, ago: int | None, is_broken: bool) -> None:
        world = self.pair.world
        started = 0 if ago is None else world.timestamp - ago
        self.pair.enter(
            world._replace(sequencer_answer=answer, sequencer_started=started, sequencer_is_broken=is_broken)
        )

    # ------------------------------------------------------------------ posts

    def values(self, data: st.DataObject, market_id: int, reference_timestamp: int) -> tuple[int, ...]:
        """Draw a tuple: mostly close to the one in force, with some of its values at a limit."""
        market, config = self.model.markets.get(market_id), self.model.configs.get(market_id, DEFAULT)
        base = market.current if market else FIRST_VALUES
        elapsed = reference_timestamp - market.reference_timestamp if market else 0
        kind = data.draw(st.sampled_from(("same", "all", "all", "rise", "one", "one", "each", "pending")))
        if kind == "rise":
            return (min(base[0] + 10, UINT32_MAX), *base[1:])
        if kind == "same":
            return base
        if kind == "pending" and market:
            return tuple(min(max(0, value + data.draw(around)), UINT32_MAX) for value in market.pending)
        if kind == "all":
            by = data.draw(st.sampled_from((-1_000, -100, -10, -1, 1, 500)))
            return tuple(min(max(0, value + by), UINT32_MAX) for value in base)
        chosen = range(6) if kind == "each" else (data.draw(st.integers(0, 5)),)
        drawn = list(base)
        fall_seconds = max(elapsed, self.model.timing.dwell_seconds)
        for place in chosen:
            bounds, value = config.bounds(place), base[place]
            near = (
                value,
                value,
                bounds.minimum,
                bounds.maximum,
                value + largest_step(bounds, value),
                value + largest_change(bounds.rise_hourly, elapsed),
                value - largest_change(bounds.fall_hourly, fall_seconds),
                base[place ^ 2] if place < 4 else 0,
            )
            drawn[place] = min(max(0, data.draw(st.sampled_from(near)) + data.draw(around)), UINT32_MAX)
        return tuple(drawn)

    def draft(self, data: st.DataObject) -> Report:
        """Draw a report that is in order."""
        model = self.model
        if self.pair.world.number <= model.last_reference_block + 1:
            self.pair.enter(self.pair.world._replace(number=model.last_reference_block + 2))
        world = self.pair.world
        ids = data.draw(
            st.sampled_from(((1,), (1,), (1, 2), (1, 2), (2,), (), MARKETS, (1, NEVER_CONFIGURED))), "markets"
        )
        reference = max(world.timestamp - data.draw(st.sampled_from((0, 0, 1, 60))), model.last_reference_timestamp)
        exceeds = data.draw(st.sampled_from((False, False, False, True)), "exceeds the step")
        block = world.number - 1
        return Report(
            model.signer_set_epoch,
            model.last_sequence + data.draw(st.sampled_from((1, 1, 1, 2, 1_000))),
            block,
            self.pair.prove(block),
            reference,
            world.timestamp + data.draw(st.sampled_from((0, 600))),
            keccak(b"model"),
            keccak(b"details"),
            self.root(data, block),
            1,
            exceeds,
            tuple((each, *self.values(data, each, reference)) for each in ids),
        )

    def root(self, data: st.DataObject, reference_block: int) -> bytes:
        """Make an accounts tree, of which one leaf is kept; or draw an empty one."""
        depth = data.draw(st.sampled_from((0, 1, 2, None)), "depth of the tree")
        self.drafted = []
        if depth is None:
            return ZERO_HASH
        self.salt += 1
        leaf = Leaf(keccak(f"account {self.salt}".encode()), self.salt, 10**20, 5 * 10**19, reference_block)
        proof = tuple(keccak(f"sibling {self.salt} {level}".encode()) for level in range(depth))
        node = self.model.hashAccount(STRANGER, self.pair.world, leaf)
        for sibling in proof:
            node = keccak(min(node, sibling) + max(node, sibling))
        self.drafted = [Proven(leaf, proof)]
        return node

    def signed(self, data: st.DataObject, report: Report) -> Packed:
        """Draw who signs of the set in force."""
        members = self.pair.members
        needed = members.step_threshold if report.exceeds_step else members.threshold
        count = data.draw(st.sampled_from((needed, needed, len(members.signers))), "signatures")
        first = data.draw(st.integers(0, len(members.signers) - count))
        return pack(report, members, range(first, first + count), self.model.separator)

    def send(self, octets: bytes) -> None:
        """Post bytes in a canonical wrapper."""
        if self.pair.same_post(wrap(octets)).succeeded:
            self.accepted = [*self.accepted[-2:], octets]
            self.leaves = [*self.leaves[-2:], *self.drafted]

    def post_sound(self, data: st.DataObject) -> None:
        """Post what is in order."""
        report = self.draft(data)
        self.send(self.signed(data, report).octets)

    @rule(data=st.data())
    def post(self, data: st.DataObject) -> None:
        self.post_sound(data)

    @rule(data=st.data(), seconds=st.sampled_from((1, 12, 60, 600, 900, 3_000)))
    def post_later(self, data: st.DataObject, seconds: int) -> None:
        world = self.pair.world
        self.pair.enter(world._replace(number=world.number + 1, timestamp=world.timestamp + seconds))
        self.post_sound(data)

    @rule(data=st.data(), seconds=st.lists(st.sampled_from((1, 60, 600, 1_800)), min_size=3, max_size=5))
    def post_series(self, data: st.DataObject, seconds: list[int]) -> None:
        for each in seconds:
            self.post_later(data, each)

    @precondition(lambda self: self.model.markets and self.model.timing.minimum_delay_seconds)
    @rule(data=st.data(), off=around)
    def rise_again(self, data: st.DataObject, off: int) -> None:
        model, world = self.model, self.pair.world
        market_id = data.draw(st.sampled_from(sorted(model.markets)))
        market = model.markets[market_id]
        allowed = market.last_rise_timestamp + model.timing.minimum_delay_seconds + off
        self.pair.enter(world._replace(timestamp=max(world.timestamp, allowed)))
        report = self.draft(data)._replace(
            reference_timestamp=max(allowed, model.last_reference_timestamp),
            exceeds_step=False,
            markets=((market_id, min(market.current[0] + 1, UINT32_MAX), *market.current[1:]),),
        )
        self.send(self.signed(data, report).octets)

    @rule(data=st.data(), faults=st.integers(1, 2))
    def post_out_of_order(self, data: st.DataObject, faults: int) -> None:
        report = self.draft(data)
        for _ in range(faults):
            report = self.disorder(data, report)
        self.pair.same_read("hashReport", report)
        self.send(self.signed(data, report).octets)

    def disorder(self, data: st.DataObject, report: Report) -> Report:
        """Draw a report that is not in order, or just about."""
        model, world = self.model, self.pair.world
        faults: dict[str, Sequence[object]] = {
            "signer_set_epoch": (max(0, model.signer_set_epoch - 1), model.signer_set_epoch + 1, UINT32_MAX),
            "sequence": (0, model.last_sequence, max(0, model.last_sequence - 1), 2**40 - 1, 2**40, 2**48, 2**64 - 1),
            "reference_block": (
                model.last_reference_block,
                max(0, model.last_reference_block - 1),
                world.number,
                world.number - 256,
                world.number - 257,
                world.number - HISTORY_BLOCKS,
                world.number - HISTORY_BLOCKS - 1,
                world.number + 10,
                2**64 - 1,
            ),
            "reference_block_hash": (keccak(b"fork"), ZERO_HASH),
            "reference_timestamp": (
                max(0, model.last_reference_timestamp - 1) or START,
                model.last_reference_timestamp or START - DAY,
                world.timestamp + 1,
                2**40,
                2**64 - 1,
            ),
            "valid_until": (world.timestamp - 1, world.timestamp, 0, 2**64 - 1),
            "markets": (
                report.markets[::-1],
                report.markets + report.markets[-1:],
                tuple((0, *each[1:]) for each in report.markets),
            ),
        }
        name = data.draw(st.sampled_from(sorted(faults)), "fault")
        report = report._replace(**{name: data.draw(st.sampled_from(faults[name]), name)})
        if name == "reference_block":
            report = report._replace(reference_block_hash=self.pair.prove(report.reference_block))
        return report

    @rule(data=st.data(), kind=st.sampled_from(("spoilt", "spoilt", "wrapper", "damaged", "others", "replay")))
    def post_faulty(self, data: st.DataObject, kind: str) -> None:
        report = self.draft(data)
        packed = self.signed(data, report)
        if kind == "spoilt":
            self.send(SPOILT[data.draw(st.sampled_from(sorted(SPOILT)), "fault")](packed).octets)
        elif kind == "wrapper":
            fault = data.draw(st.sampled_from(sorted(MISWRAPPED)), "fault")
            self.pair.same_post(MISWRAPPED[fault](packed.octets))
        elif kind == "damaged":
            octets = bytearray(packed.octets)
            octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
            self.send(bytes(octets))
        elif kind == "replay" and self.accepted:
            self.send(data.draw(st.sampled_from(self.accepted)))
        elif kind == "others":
            members = data.draw(signer_sets().filter(lambda each: ZERO not in each.signers))
            who = range(min(members.threshold, len(members.signers)))
            self.send(pack(report, members, who, self.model.separator).octets)

    # ------------------------------------------------------------------ acts

    @rule(market_id=st.sampled_from((1, 1, 2, 2, *MARKETS_READ)))
    def apply_pending(self, market_id: int) -> None:
        self.pair.same(STRANGER, "applyPending", market_id)

    @precondition(lambda self: any(market.pending_timestamp for market in self.model.markets.values()))
    @rule(data=st.data(), off=around)
    def ripen(self, data: st.DataObject, off: int) -> None:
        waiting = [each for each, market in self.model.markets.items() if market.pending_timestamp]
        market_id = data.draw(st.sampled_from(waiting))
        world = self.pair.world
        timestamp = max(world.timestamp, self.model.markets[market_id].pending_timestamp + off)
        self.pair.enter(world._replace(number=world.number + 1, timestamp=timestamp))
        if data.draw(st.booleans(), "by a report"):
            self.post_sound(data)
        else:
            self.pair.same(STRANGER, "applyPending", market_id)

    @rule(data=st.data(), act=st.sampled_from(("pause", "unpause", "unpause", "cancelPending", "voidAccounts")))
    def guard(self, data: st.DataObject, act: str) -> None:
        arguments = (data.draw(st.sampled_from((1, 1, 2, 2, *MARKETS_READ))),) if act == "cancelPending" else ()
        self.pair.same(self.sender(data, self.model.guardian), act, *arguments)

    @rule(data=st.data(), change=changes())
    def change_directly(self, data: st.DataObject, change: tuple[str, tuple[object, ...]]) -> None:
        self.pair.same(self.sender(data, self.model.owner), change[0], *change[1])

    @rule(data=st.data(), kind=st.sampled_from(("new", "new", "new", "new", "cut", "again", "none")))
    def propose(self, data: st.DataObject, kind: str) -> None:
        if kind == "none":
            none = (calldata("pause"), calldata("acceptOwnership"), b"", b"\0" * 4, b"\1" * 36)
            call = data.draw(st.sampled_from(none))
        elif kind == "again" and self.proposed:
            call = data.draw(st.sampled_from(self.proposed))
        else:
            name, arguments = data.draw(changes())
            call = calldata(name, *arguments)[: data.draw(st.sampled_from((3, 4, 36))) if kind == "cut" else None]
            self.proposed = [*self.proposed[-4:], call]
        self.pair.same(self.sender(data, self.model.owner), "proposeChange", call)

    @precondition(lambda self: self.proposed)
    @rule(data=st.data(), after=mostly(0, None, -1, CHANGE_LIFETIME_SECONDS, CHANGE_LIFETIME_SECONDS + 1))
    def execute(self, data: st.DataObject, after: int | None) -> None:
        call: bytes = data.draw(st.sampled_from(self.proposed))
        ready, world = self.model.ready.get(keccak(call)), self.pair.world
        if ready is not None and after is not None and ready + after > world.timestamp:
            self.pair.enter(world._replace(number=world.number + 1, timestamp=ready + after))
        self.pair.same(self.sender(data, self.model.owner), "executeChange", call)

    @precondition(lambda self: self.proposed)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        sender = self.sender(data, data.draw(st.sampled_from((self.model.owner, self.model.guardian))))
        self.pair.same(sender, "cancelChange", data.draw(st.sampled_from(self.proposed)))

    @rule(data=st.data(), act=st.sampled_from(("acceptOwnership", "acceptOwnership", "renounceOwnership", "announce")))
    def office(self, data: st.DataObject, act: str) -> None:
        if act == "announce":
            artefact = (keccak(b"artefact"), "ipfs://artefact")
            self.pair.same(self.sender(data, self.model.owner), "announceCalibration", *artefact)
        else:
            self.pair.same(self.sender(data, self.model.pending_owner), act)

    @rule(
        data=st.data(),
        new_signer=st.sampled_from((*ADDRESSES[:9], *ADDRESSES[20:30], ZERO)),
        own_set=st.sampled_from((True, True, True, False)),
    )
    def rotate(self, data: st.DataObject, new_signer: str, own_set: bool) -> None:
        sender = self.sender(data, data.draw(st.sampled_from(CUSTODIANS)))
        members = self.pair.members if own_set else data.draw(signer_sets())
        self.pair.same(sender, "rotateSigner", members, new_signer)

    # ------------------------------------------------------------------ reads

    @rule(notional_wad=st.one_of(st.integers(0, 10**28), st.sampled_from((2**127, 2**200, 2**255, 2**256 - 1))))
    def read(self, notional_wad: int) -> None:
        self.pair.same_reads(notional_wad, self.leaves, self.proposed)

    @precondition(lambda self: self.leaves)
    @rule(data=st.data(), reduces_risk=st.booleans(), block=mostly(0, -1, 1))
    def prove_wrongly(self, data: st.DataObject, reduces_risk: bool, block: int) -> None:
        proven = data.draw(st.sampled_from(self.leaves))
        leaf = proven.leaf._replace(
            initial_wad=proven.leaf.initial_wad - 1, reference_block=proven.leaf.reference_block + block
        )
        self.pair.same_read("hashAccount", leaf)
        self.pair.same_read("verifyAccount", leaf, proven.proof, reduces_risk)

    @invariant()
    def every_read(self) -> None:
        """Compare all reads, unless the step failed: then the EVM has undone whatever it did."""
        if not self.pair.is_read:
            self.pair.same_reads(10**21 + 1, self.leaves, self.proposed)
            self.pair.is_read = True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test its share of the sequences, so that shares can run beside each other."""
    sequences = metafunc.config.getoption("sequences")
    shares = range(0, sequences, SHARE)
    metafunc.parametrize("share", [(start, min(SHARE, sequences - start)) for start in shares], ids=str)


def test_contract_answers_as_the_model(share: tuple[int, int]) -> None:
    first, count = share
    run_state_machine_as_test(
        seed(first)(type("Sequences", (Machine,), {})),
        settings=settings(
            max_examples=count,
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
