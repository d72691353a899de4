"""One HTTP endpoint: a request goes out once, and what comes back is a result, a meaning, or this endpoint's fault.

web3's `HTTPProvider` carries the bytes with its own retries off; it accepts answers with another request's id and
empty results, so both are checked here. `ChainClient` decides what to do about a fault.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from json import JSONDecodeError
from typing import Any, TypeVar

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from oracle.chain.faults import EndpointFault, error_from_node
from oracle.chain.wire import quantity
from oracle.errors import CallTooLarge, WrongChain
from oracle.logs import redact_url

_NULL_IS_AN_ANSWER = (
    "eth_getTransactionReceipt",
    "eth_getTransactionByHash",
    "eth_getBlockByNumber",
    "eth_getBlockByHash",
    "anvil_",
    "evm_",
)
"""Beginnings of methods whose empty answer says something; for all others `null` is a broken endpoint."""

T = TypeVar("T")

_LOGGERS_THAT_PRINT_URLS = ("web3.providers.HTTPProvider", "urllib3.connectionpool")
_CONTENT_TOO_LARGE = 413


class Endpoint:
    """A URL that speaks JSON-RPC for one chain; not safe to share between threads.

    Parameters
    ----------
    url : str
        http or https; may hold a key, which no message shows.
    chain_id : int
        What the endpoint must answer; asked before its first use.
    timeout_seconds : float
        Longest silence while connecting or reading.
    """

    def __init__(self, url: str, chain_id: int, timeout_seconds: float) -> None:
        self.name = redact_url(url)
        self._url = url
        self._chain_id = chain_id
        self._checked = False
        self._ids = itertools.count(1)
        self._provider = HTTPProvider(
            url,
            request_kwargs={"timeout": timeout_seconds},
            session=requests.Session(),
            exception_retry_configuration=None,
        )
        for logger in _LOGGERS_THAT_PRINT_URLS:
            logging.getLogger(logger).setLevel(logging.INFO)

    def request(self, method: str, params: list[Any], parse: Callable[[Any], T]) -> T:
        """Return `parse` of the result of one request.

        Raises
        ------
        WrongChain
            If the endpoint serves another chain.
        EndpointFault
            If it does not answer, or with anything but a well-formed answer to this request.
        OracleError
            The meaning of an error that the node reports; see `faults`.
        """
        self.check_chain()
        return self._parsed(method, params, parse)

    def check_chain(self) -> None:
        """Raise WrongChain unless the endpoint serves the configured chain; asked once."""
        if self._checked:
            return
        actual = self._parsed("eth_chainId", [], quantity)
        if actual != self._chain_id:
            raise WrongChain(
                f"{self.name} serves chain {actual}, configured is chain {self._chain_id}",
                "correct the endpoint or the chain id",
            )
        self._checked = True

    def _parsed(self, method: str, params: list[Any], parse: Callable[[Any], T]) -> T:
        result = self._ask(method, params)
        try:
            return parse(result)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EndpointFault(f"{self.name} gave a malformed result to {method}: {type(error).__name__}") from None

    def _ask(self, method: str, params: list[Any]) -> Any:
        answer = self._exchange(method, params)
        if "error" in answer and answer["error"] is not None:
            error = answer["error"]
            raise error_from_node(error if isinstance(error, dict) else {"message": str(error)}, self._url)
        result = answer.get("result")
        if result is None and not method.startswith(_NULL_IS_AN_ANSWER):
            raise EndpointFault(f"{self.name} gave an empty result to {method}")
        return result

    def _exchange(self, method: str, params: list[Any]) -> dict[str, Any]:
        request_id = next(self._ids)
        self._provider.request_counter = itertools.count(request_id)
        try:
            answer: Any = self._provider.make_request(RPCEndpoint(method), params)
        # "from None" throughout: the texts of requests' errors hold the whole URL.
        except requests.HTTPError as error:
            status = error.response.status_code
            if status == _CONTENT_TOO_LARGE:
                raise CallTooLarge(f"{self.name} answered {method} with HTTP 413", "ask for less in one call") from None
            raise EndpointFault(f"{self.name} answered {method} with HTTP {status}") from None
        except requests.RequestException as error:
            raise EndpointFault(f"{self.name} did not answer {method}: {type(error).__name__}") from None
        except (JSONDecodeError, UnicodeDecodeError):
            raise EndpointFault(f"{self.name} answered {method} with something that is not JSON") from None
        if not isinstance(answer, dict):
            raise EndpointFault(f"{self.name} answered {method} with JSON that is not an object")
        if answer.get("id") != request_id:
            raise EndpointFault(f"{self.name} answered request {answer.get('id')!r} in place of {request_id}")
        return answer
