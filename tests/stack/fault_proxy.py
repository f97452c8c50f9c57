"""A reverse proxy before one DynamoDB or S3 endpoint that does, by rules, what emulators never do: fail.

    with FaultProxy(endpoint, Rule(throttled(), "BatchWriteItem", every(3))) as proxy: ... proxy.endpoint ...

As a process it adds latency: `python -m stack.fault_proxy --upstream URL --latency-ms 80`.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any, Self

from stack.proxy_faults import Fault, Forward, Rule, delayed
from stack.proxy_log import Exchange, Kind, consumed
from stack.proxy_wire import STREAM_LIMIT_BYTES, CutConnectionError, Reply, Request, Upstream, read_request

_HOST = "127.0.0.1"


class FaultProxy:
    """Runs in a thread of its own while its `with` block lasts; the first rule is nearest to the client.

    A programming error in a rule is raised at the end of the block.
    """

    def __init__(self, upstream: str, *rules: Rule, seed: int = 0, port: int = 0) -> None:
        self._upstream = Upstream(upstream)
        self._rules = rules
        self._random = Random(seed)  # noqa: S311  repeatable faults, not secrets
        self._exchanges: list[Exchange] = []
        self._failure: Exception | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket = _bound_socket(port)
        self._port: int = self._socket.getsockname()[1]
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, error_type: object, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._failure and error_type is None:
            raise self._failure

    @property
    def endpoint(self) -> str:
        """The URL that clients use in place of the upstream's."""
        return f"http://{_HOST}:{self._port}"

    @property
    def exchanges(self) -> list[Exchange]:
        """All requests so far, by arrival."""
        return list(self._exchanges)

    def count(self, operation: str, table: str | None = None) -> int:
        """How many requests of that operation arrived, answered or not."""
        return sum(e.operation == operation and table in {None, e.table} for e in self.exchanges)

    def consumed(self, kind: Kind, table: str | None = None) -> list[tuple[float, float]]:
        """The (monotonic seconds, capacity units) of all requests of that kind that cost something."""
        return consumed(self.exchanges, kind, table)

    @contextmanager
    def injecting(self, *rules: Rule) -> Iterator[None]:
        """Add rules, nearest to the client, for the length of the block."""
        before = self._rules
        self._rules = (*rules, *before)
        try:
            yield
        finally:
            self._rules = before

    @contextmanager
    def refusing_connections(self) -> Iterator[None]:
        """Be a closed port, with every connection cut, for the length of the block."""
        self._run(self._refuse())
        try:
            yield
        finally:
            self._run(self._listen())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, sock=self._socket, limit=STREAM_LIMIT_BYTES, backlog=1024
        )

    async def _refuse(self) -> None:
        await self._close()
        self._socket = _bound_socket(self._port)  # bound, not listening: the port stays ours

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        self._socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._upstream.close()
        await asyncio.sleep(0)  # transports close in the loop's next round

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, CutConnectionError):
                while await self._answer_next(reader, writer):
                    pass
                writer.close()
        except asyncio.CancelledError:
            pass  # by _close alone; asyncio's streams would report a cancelled task as an error
        except Exception as error:  # noqa: BLE001  raised again in the test's thread
            self._failure = error
        finally:
            self._tasks.discard(task)
            if not writer.is_closing():
                writer.transport.abort()

    async def _answer_next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await read_request(reader, writer, random=self._random)
        self._exchanges.append(request.exchange)
        request.exchange.note_request(request.json)
        reply = await self._through_rules(request)
        request.exchange.note_reply(reply.body)
        request.exchange.status = reply.status
        writer.write(reply.head + reply.body[: reply.sent_bytes])
        await writer.drain()
        return not reply.closing

    async def _through_rules(self, request: Request) -> Reply:
        forward: Forward = self._upstream.send
        faults = [rule.fault for rule in self._rules if rule.strikes(request)]
        for fault in reversed(faults):
            forward = _behind(fault, forward)
        return await forward(request)


def _behind(fault: Fault, forward: Forward) -> Forward:
    return lambda request: fault(request, forward)


def _bound_socket(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((_HOST, port))
    return bound


def main() -> None:
    """Print the endpoint and add latency until the process is ended."""
    parser = argparse.ArgumentParser(description="Add latency before a DynamoDB endpoint.")
    parser.add_argument("--upstream", required=True, help="http://HOST:PORT")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--jitter-ms", type=float, default=0.0)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args()
    latency = Rule(delayed(options.latency_ms / 1000, jitter_seconds=options.jitter_ms / 1000))
    with suppress(KeyboardInterrupt), FaultProxy(options.upstream, latency, port=options.port) as proxy:
        print(proxy.endpoint, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
