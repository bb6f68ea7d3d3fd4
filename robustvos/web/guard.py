"""Who may use a page: this machine, or whoever has the token; and no other site by way of the person's browser."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = Mapping[str, Any]
_App = Callable[[Any, Any, Any], Awaitable[None]]
_LOCAL = ("127.0.0.1", "localhost", "::1")


def is_local(host: str) -> bool:
    """Whether a host name means this machine alone.

    >>> is_local("127.0.0.1"), is_local("::1"), is_local("0.0.0.0")
    (True, True, False)
    """
    return host.strip("[]").lower() in _LOCAL


class Guard:
    """ASGI middleware in front of everything, websockets too.

    Without a token, only requests that name this machine as their host are answered, so that a foreign site cannot reach the
    page under a name of its own (DNS rebinding). With one, it must come as ``?token=`` (which sets a cookie) or as the cookie.
    Requests that another site's page makes are refused either way.

    Args:
        app: What is guarded.
        token: The token; None: none is needed, for servers on this machine alone.
    """

    def __init__(self, app: _App, token: str | None = None) -> None:
        self.app, self.token = app, token
        self._cookie = "robustvos_token"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, or refuse with 403."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        reason = self.refusal(scope)
        if reason is None:
            await self.app(scope, receive, self._with_cookie(scope, send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
        else:
            plain = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": plain})
            await send({"type": "http.response.body", "body": f"{reason}\n".encode()})

    def refusal(self, scope: Scope) -> str | None:
        """Why a request is not answered; None: it is."""
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "requests of other sites are not answered"
        if self.token is None:
            name = urlsplit(f"//{host}").hostname or ""
            return None if is_local(name) else "this page is for its own machine alone"
        known = [*_query(scope).get("token", []), _cookies(headers).get(self._cookie, "")]
        if any(hmac.compare_digest(given.encode(), self.token.encode()) for given in known):
            return None
        return "open the address that was printed when the page was started: it holds the token"

    def _with_cookie(self, scope: Scope, send: Any) -> Any:
        if self.token is None or scope["type"] != "http" or "token" not in _query(scope):
            return send
        cookie = f"{self._cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/".encode()

        async def send_with_cookie(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), (b"set-cookie", cookie)]}
            await send(message)

        return send_with_cookie


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope.get("query_string", b"").decode("latin-1"))


def _cookies(headers: Mapping[str, str]) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}
