"""Which requests are heard: those of this server's own page, and of programs, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: On every answer. Nothing is loaded from elsewhere, and no other page may show or read this one.
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob: data:; media-src 'self' blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_UPLOADS_AT_ONCE = 4
_SILENCE_SECONDS = 30.0  # of a sender in the middle of a request


class Guard:
    """Refuses requests that other pages make a browser send, and lets few uploads in at once.

    A page of another origin may not send pictures here, nor read an answer; one whose name was
    made to point to this machine ("DNS rebinding") is told by its `Host`. Uploads that wait take
    no memory: their bodies are not read yet.

    Args:
        app: that answers the requests which pass.
        hosts: names this server has, without port; empty: any.
        max_bytes: of a request; one that says it is larger is not read.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], max_bytes: int) -> None:
        self._app = app
        self._hosts = hosts
        self._max_bytes = max_bytes
        self._slots = asyncio.Semaphore(_UPLOADS_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        problem = self._find_problem(headers)
        if problem is not None:
            status, detail = problem
            await JSONResponse({"detail": detail}, status)(scope, receive, send_guarded)
        elif scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send_guarded)
        else:
            async with self._slots:
                await self._app(scope, _impatient(receive), send_guarded)

    def _find_problem(self, headers: Headers) -> tuple[int, str] | None:
        """Status and words of a refusal."""
        host = headers.get("host", "")
        if self._hosts and _without_port(host).lower() not in self._hosts:
            return 403, f'this server is not "{host[:100]}"; open it by the address it printed'
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return 403, "pictures are taken from this server's own page only"
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            return 413, f"that is {int(length):,} bytes; expected {self._max_bytes:,} at most"
        return None


def _without_port(host: str) -> str:
    """The name in a `Host` header.

    Example:
        >>> _without_port("localhost:8000"), _without_port("[::1]:8000")
        ('localhost', '[::1]')
    """
    return host[: host.rfind("]") + 1] or host.partition(":")[0]


def _impatient(receive: Receive) -> Receive:
    """Takes a sender who says nothing for long as one who is gone."""

    async def receive_soon() -> Message:
        try:
            return await asyncio.wait_for(receive(), _SILENCE_SECONDS)
        except TimeoutError:
            return {"type": "http.disconnect"}

    return receive_soon
