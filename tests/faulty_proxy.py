"""A node that misbehaves on request: a small HTTP server on loopback before a real chain or a scripted answer.

Each JSON-RPC method has its own script, one fault a request, oldest first; without a script requests go through.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

import requests

Fault = Literal["pass", "500", "429", "413", "html", "reset", "slow", "truncated", "null", "wrong-id", "not-an-object"]
"""What a method's next request meets; digits are an HTTP status."""
FAULTS: tuple[Fault, ...] = ("500", "429", "html", "reset", "slow", "truncated", "null", "wrong-id", "not-an-object")
"""Those that are the endpoint's own; 413 is about the request."""

Responder = Callable[[dict[str, Any]], dict[str, Any]]
"""A request to the members of its answer: `{"result": ..}` or `{"error": ..}`."""

_POLL_SECONDS = 0.01
_HTML = b"<html><body>502 Bad Gateway</body></html>"


class FaultyProxy:
    """Serves while the context lasts.

    Parameters
    ----------
    upstream : str or callable
        URL of a chain, or a function that answers in its place.
    """

    def __init__(self, upstream: str | Responder) -> None:
        self._upstream = upstream
        self._scripts: dict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._closing = threading.Event()
        self.seen: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                proxy._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True)

    def script(self, method: str, *faults: Fault) -> None:
        """Let the next requests of a method fail in these ways, one each."""
        self._scripts[method].extend(faults)

    def always(self, method: str, fault: Fault) -> None:
        """Let every request of a method fail in this way, "*" for all methods."""
        self._always[method] = fault

    def count(self, method: str) -> int:
        """Return how often a method was asked for."""
        return self.seen.count(method)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        request = json.loads(body)
        method = request["method"]
        self.seen.append(method)
        waiting = self._scripts[method]
        fault = waiting.popleft() if waiting else self._always.get(method, self._always.get("*", "pass"))
        if fault == "reset":
            # Linger 0 makes the close a reset.
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.close_connection = True
            handler.connection.close()
        elif fault == "slow":
            self._closing.wait()
        elif fault.isdigit():
            _reply(handler, int(fault), b"{}")
        else:
            _reply(handler, 200, self._body(fault, request, body))

    def _body(self, fault: Fault, request: dict[str, Any], body: bytes) -> bytes:
        if fault == "html":
            return _HTML
        if fault == "not-an-object":
            return b"[]"
        if callable(self._upstream):
            answer = {"jsonrpc": "2.0", "id": request["id"], **self._upstream(request)}
        else:
            headers = {"Content-Type": "application/json"}
            answer = requests.post(self._upstream, data=body, headers=headers, timeout=30).json()
        if fault == "null":
            answer = {"jsonrpc": "2.0", "id": request["id"], "result": None}
        if fault == "wrong-id":
            answer["id"] = request["id"] + 1
        encoded = json.dumps(answer).encode()
        return encoded[: len(encoded) // 2] if fault == "truncated" else encoded


def _reply(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
