"""The chain as one cycle sees it: reads at a block hash, over endpoints of which any may fail, lag or lie.

A request goes to the endpoint that answered last; a fault moves on to the next, and after a round of faults there is
a pause with jitter, until the budget is spent. What a contract or a node says about the request itself (a revert, a
nonce too low) is an answer, never a reason to ask someone else. Nothing here reads at a moving tag by default: a
reader gets a `BlockStamp` and reads at its hash.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from oracle.chain.endpoint import Endpoint
from oracle.chain.faults import EndpointFault
from oracle.chain.wire import (
    Log,
    StateOverride,
    at_block,
    call_params,
    log_from_node,
    octets,
    quantity,
    stamp_from_node,
)
from oracle.errors import BadConfiguration, BlockUnavailable, EndpointsDisagree, EndpointUnavailable, OracleError
from oracle.types import BlockStamp

T = TypeVar("T")
Answer = TypeVar("Answer", BlockStamp, bytes)

_ENDPOINTS_THAT_CAN_AGREE = 3
_VOTES_NEEDED = 2


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How long a request may take before the cycle ends as Transient."""

    timeout_seconds: float = 10.0
    """Longest silence of one endpoint."""
    budget_seconds: float = 30.0
    """For one request over all endpoints and rounds; a request under way is not cut short."""
    rounds: int = 3
    pause_seconds: float = 0.25
    """Before the second round, doubled for each one after; the actual pause is between half of it and all of it."""


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """What `ChainClient.statuses` found at one endpoint; `fault` is empty when it is fit for use."""

    name: str
    head: BlockStamp | None
    head_age_seconds: int | None
    fault: str


class ChainClient:
    """Reads of one chain over one or more HTTP endpoints; for one thread at a time.

    Parameters
    ----------
    urls : sequence of str
        HTTP endpoints of the same chain, the preferred one first. With three or more, two must agree on a block.
    chain_id : int
        Every endpoint is asked for it before its first use.
    finality : {"depth", "finalized"}
        Which block a cycle reads: `confirmations` below the head, or the chain's own finalised block.
    confirmations : int
        Blocks between the head and the block that is read.
    maximum_head_age_seconds : int or None
        An endpoint whose head is older is behind and not used; None for local chains with a made-up clock.
    limits : RequestLimits
    clock, monotonic, sleep : callables
        Unix seconds, seconds for deadlines, and the pause between rounds; for tests.
    """

    def __init__(
        self,
        urls: Sequence[str],
        chain_id: int,
        *,
        finality: Literal["depth", "finalized"] = "depth",
        confirmations: int = 0,
        maximum_head_age_seconds: int | None = 120,
        limits: RequestLimits = RequestLimits(),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not urls:
            raise BadConfiguration("no endpoint is configured", "give at least one RPC URL")
        self.chain_id = chain_id
        self._endpoints = deque(Endpoint(url, chain_id, limits.timeout_seconds) for url in urls)
        self._finality = finality
        self._confirmations = confirmations
        self._maximum_head_age_seconds = maximum_head_age_seconds
        self._limits = limits
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep

    # ------------------------------------------------------------------ blocks

    def reference_block(self) -> BlockStamp:
        """Return the block that a cycle reads, on which two endpoints agree when there are three or more.

        Raises
        ------
        EndpointUnavailable
            If no endpoint (or fewer than two of three) has a fresh head and the block.
        EndpointsDisagree
            If no two endpoints name the same hash.
        """
        target = max(self.head().number - self._confirmations, 0)
        if self._finality == "finalized":
            target = self.block_by_tag("finalized").number
        return self._agreed(lambda endpoint: _block(endpoint, hex(target)))

    def head(self) -> BlockStamp:
        """Return the newest block of an endpoint that is not behind; for the transactor, never for a reading."""
        return self._over_endpoints(self._fresh_head)

    def block_by_number(self, number: int) -> BlockStamp:
        """Return the block with this number on the canonical chain, as one endpoint has it."""
        return self._over_endpoints(lambda endpoint: _block(endpoint, hex(number)))

    def block_by_tag(self, tag: Literal["latest", "safe", "finalized", "earliest"]) -> BlockStamp:
        """Return the block that a tag names now."""
        return self._over_endpoints(lambda endpoint: _block(endpoint, tag))

    # ------------------------------------------------------------------ reads at a block

    def call(
        self,
        stamp: BlockStamp,
        to: str,
        data: bytes,
        *,
        sender: str | None = None,
        gas: int | None = None,
        state_override: StateOverride | None = None,
    ) -> bytes:
        """Return what a contract returns for `data` at the block, which must be canonical.

        Parameters
        ----------
        stamp : BlockStamp
        to : str
            Address; with `state_override` it may be one where nothing is deployed.
        data : bytes
            Selector and arguments.
        sender : str, optional
        gas : int, optional
            Nodes clamp it to their own cap.
        state_override : dict, optional
            address -> {"code": "0x..", "balance": .., "stateDiff": ..}, in JSON-RPC form.

        Raises
        ------
        CallReverted
            With the data; empty data may mean that the gas ran out inside the call.
        CallTooLarge
            If the node ran out of gas, time or room.
        BlockUnavailable
            If no endpoint has the block any more, or yet.
        EndpointUnavailable
            If no endpoint answered within the budget.
        """
        return self.request("eth_call", call_params(stamp, to, data, sender, gas, state_override), octets)

    def agreed_call(self, stamp: BlockStamp, to: str, data: bytes) -> bytes:
        """Return what two endpoints return alike when there are three or more; errors as `call`, `reference_block`."""
        params = call_params(stamp, to, data, None, None, None)
        return self._agreed(lambda endpoint: endpoint.request("eth_call", params, octets))

    def code(self, stamp: BlockStamp, address: str) -> bytes:
        """Return the code at an address, empty when there is none."""
        return self.request("eth_getCode", [address, at_block(stamp)], octets)

    def balance_wei(self, stamp: BlockStamp, address: str) -> int:
        """Return an account's balance."""
        return self.request("eth_getBalance", [address, at_block(stamp)], quantity)

    def logs(
        self, address: str, first_block: int, last_block: int, topics: Sequence[bytes | tuple[bytes, ...] | None] = ()
    ) -> tuple[Log, ...]:
        """Return a contract's events of blocks `first_block` to `last_block`, both included, oldest first.

        A topic is one value, any of several, or None for whatever there is. Blocks go by number here: a caller checks
        afterwards that the last block's hash is still the one it reads at.
        """
        wanted = [_topic(topic) for topic in topics]
        where = {"address": address, "fromBlock": hex(first_block), "toBlock": hex(last_block), "topics": wanted}
        return self.request("eth_getLogs", [where], lambda found: tuple(log_from_node(log) for log in found))

    # ------------------------------------------------------------------ endpoints

    def request(self, method: str, params: list[Any], parse: Callable[[Any], T]) -> T:
        """Return `parse` of the result of any method; a `parse` that fails counts as the endpoint's fault."""
        return self._over_endpoints(lambda endpoint: endpoint.request(method, params, parse))

    def look_up(self, method: str, params: list[Any], parse: Callable[[Any], T]) -> T | None:
        """As `request`, for what a node may not know: None when no endpoint knows it."""

        def parse_if_known(found: Any) -> T:
            if found is None:
                raise BlockUnavailable("not known to the endpoint")
            return parse(found)

        try:
            return self.request(method, params, parse_if_known)
        except BlockUnavailable:
            return None

    def statuses(self) -> tuple[EndpointStatus, ...]:
        """Return what each endpoint is fit for, asking each one once; never raises an endpoint's own trouble."""
        return tuple(self._status(endpoint) for endpoint in self._endpoints)

    def _status(self, endpoint: Endpoint) -> EndpointStatus:
        try:
            head = _block(endpoint, "latest")
            age_seconds = int(self._clock()) - head.timestamp
            self._require_fresh(endpoint, head)
        except OracleError as error:
            return EndpointStatus(endpoint.name, None, None, str(error))
        return EndpointStatus(endpoint.name, head, age_seconds, "")

    def _fresh_head(self, endpoint: Endpoint) -> BlockStamp:
        head = _block(endpoint, "latest")
        self._require_fresh(endpoint, head)
        return head

    def _require_fresh(self, endpoint: Endpoint, head: BlockStamp) -> None:
        limit = self._maximum_head_age_seconds
        age_seconds = int(self._clock()) - head.timestamp
        if limit is not None and age_seconds > limit:
            raise EndpointFault(
                f"{endpoint.name} is behind: block {head.number} is {age_seconds} s old, limit {limit} s"
            )

    def _over_endpoints(self, ask: Callable[[Endpoint], T]) -> T:
        started = self._monotonic()
        faults: list[str] = []
        for turn in range(self._limits.rounds):
            missing: BlockUnavailable | None = None
            for _ in range(len(self._endpoints)):
                if faults and self._monotonic() - started >= self._limits.budget_seconds:
                    raise _unavailable(faults)
                try:
                    return ask(self._endpoints[0])
                except EndpointFault as fault:
                    faults.append(str(fault))
                except BlockUnavailable as unavailable:
                    missing = unavailable
                self._endpoints.rotate(-1)
            if missing is not None:
                raise missing
            if turn + 1 < self._limits.rounds:
                self._sleep(self._limits.pause_seconds * 2**turn * random.uniform(0.5, 1.0))
        raise _unavailable(faults)

    def _agreed(self, ask: Callable[[Endpoint], Answer]) -> Answer:
        if len(self._endpoints) < _ENDPOINTS_THAT_CAN_AGREE:
            return self._over_endpoints(ask)
        answers: dict[Answer, list[str]] = {}
        faults: list[str] = []
        for endpoint in self._endpoints:
            try:
                answer = ask(endpoint)
            except (EndpointFault, BlockUnavailable) as fault:
                faults.append(str(fault))
                continue
            answers.setdefault(answer, []).append(endpoint.name)
            if len(answers[answer]) >= _VOTES_NEEDED:
                return answer
        if len(answers) > 1:
            names = ", ".join(names[0] for names in answers.values())
            raise EndpointsDisagree(f"{names} each answer something else", "a reorganisation ends by itself")
        raise _unavailable([*faults, f"{len(answers)} of {_VOTES_NEEDED} answers needed to agree"])


def _topic(topic: bytes | tuple[bytes, ...] | None) -> str | list[str] | None:
    if isinstance(topic, tuple):
        return ["0x" + one.hex() for one in topic]
    return None if topic is None else "0x" + topic.hex()


def _block(endpoint: Endpoint, number_or_tag: str) -> BlockStamp:
    return endpoint.request("eth_getBlockByNumber", [number_or_tag, False], stamp_from_node)


def _unavailable(faults: list[str]) -> EndpointUnavailable:
    distinct = list(dict.fromkeys(faults))
    return EndpointUnavailable("no endpoint gave an answer: " + "; ".join(distinct), "check the endpoints")
