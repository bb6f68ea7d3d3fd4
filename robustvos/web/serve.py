"""Run a page: where it listens, what it is made of, when it ends."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustvos.errors import BadVideo, DataNotFound, UnsafePath, UserError
from robustvos.files.paths import under
from robustvos.optional import require
from robustvos.web.frames import FramePictures
from robustvos.web.guard import Guard, is_local

EXTRA = "web"
FOLDER = Path(__file__).parent
_NO_CACHE = {"Cache-Control": "no-cache"}


@dataclass(frozen=True)
class Address:
    """Where a page listens.

    Attributes:
        host: Name or number; by default this machine alone.
        port: 0: any that is free.
        token: What one must know to come in; one is made where others can reach the page.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65536:
            raise UserError(f"--port {self.port} is no port; give a number from 0 (any that is free) to 65535")
        if self.token is not None and (len(self.token) < 8 or not self.token.isalnum() or not self.token.isascii()):
            raise UserError("--token must be at least 8 letters and digits; leave it out and one is made")

    @property
    def secured(self) -> Address:
        """The same, with a token if others than this machine can reach it."""
        needed = self.token is None and not is_local(self.host)
        return Address(self.host, self.port, secrets.token_hex(16)) if needed else self


class Page:
    """A server for one page: a FastAPI application for data, and NiceGUI for what is seen, mounted at its root.

    Add routes to ``app`` and pages with NiceGUI's ``ui.page`` first, then :meth:`run`.

    Args:
        title: Of the browser's tab.
        address: Where it listens.

    Raises:
        MissingExtra: If NiceGUI is not installed.
    """

    def __init__(self, title: str, address: Address | None = None) -> None:
        require("nicegui", EXTRA)
        fastapi = require("fastapi", EXTRA)
        self.title, self.address = title, (address or Address()).secured
        self.app: Any = fastapi.FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None)
        self._server: Any = None
        self._say_errors()
        self.add_folder("/shared", FOLDER)

    def add_frames(self, path: str, pictures: FramePictures) -> None:
        """Serve a video at ``PATH/INDEX.jpg``; 404 where there is no such frame."""
        responses = require("fastapi.responses", EXTRA)

        def frame(index: int) -> Any:
            try:
                content = pictures.jpeg(index)
            except IndexError as error:
                raise DataNotFound(str(error)) from error
            return responses.Response(content, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})

        self.app.get(f"{path}/{{index}}.jpg")(frame)

    def add_folder(self, path: str, folder: Path, suffixes: tuple[str, ...] = (".css", ".js", ".svg")) -> None:
        """Serve the files of a folder that have one of the suffixes at ``PATH/NAME``; nothing outside of it, nor hidden."""
        responses = require("fastapi.responses", EXTRA)

        def file(name: str) -> Any:
            hidden = any(part.startswith(".") for part in Path(name).parts)
            try:
                place = under(folder, name)
            except (UnsafePath, ValueError) as error:
                raise DataNotFound("there is no such file") from error
            if hidden or place.suffix not in suffixes or not place.is_file():
                raise DataNotFound("there is no such file")
            return responses.FileResponse(place, headers=_NO_CACHE)

        self.app.get(f"{path}/{{name:path}}")(file)

    def run(self, ready: Callable[[str], None] | None = None) -> None:
        """Listen until interrupted.

        Args:
            ready: Called with the address once the page can be opened.

        Raises:
            UserError: If the port is taken, or the host is not this machine's.
        """
        uvicorn = require("uvicorn", EXTRA)
        ui = require("nicegui", EXTRA).ui
        with self._socket() as listening:
            # NiceGUI looks at every object when it starts, and libraries warn of what it sees there
            for kind in (FutureWarning, DeprecationWarning):
                warnings.simplefilter("ignore", kind)
            ui.run_with(self.app, title=self.title, favicon="◐", show_welcome_message=False)
            guarded = Guard(self.app, self.address.token)
            config = uvicorn.Config(guarded, log_level="warning", ws_max_size=2**24, timeout_graceful_shutdown=2)
            self._server = uvicorn.Server(config)
            logging.getLogger("nicegui").setLevel(logging.ERROR)
            port = listening.getsockname()[1]
            with contextlib.suppress(KeyboardInterrupt):
                if ready is not None:
                    ready(self.url(port))
                self._server.run(sockets=[listening])

    def stop(self) -> None:
        """End :meth:`run`, from another thread."""
        if self._server is not None:
            self._server.should_exit = True

    def url(self, port: int) -> str:
        """What to open."""
        host = "127.0.0.1" if self.address.host in ("0.0.0.0", "") else self.address.host
        host = f"[{host}]" if ":" in host else host
        query = "" if self.address.token is None else f"?token={self.address.token}"
        return f"http://{host}:{port}/{query}"

    def _socket(self) -> socket.socket:
        host, port = self.address.host, self.address.port
        listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            listening.close()
            reason = error.strerror or str(error)
            raise UserError(f"cannot listen on {host}:{port} ({reason}); choose another --port or --host") from error
        listening.listen(128)
        return listening

    def _say_errors(self) -> None:
        """What a person can mend is answered in words: ``{"error": TEXT}``."""
        responses = require("fastapi.responses", EXTRA)

        def answer(_: Any, error: Exception) -> Any:
            status = 404 if isinstance(error, DataNotFound) else 500 if isinstance(error, BadVideo) else 400
            return responses.JSONResponse({"error": str(error)}, status_code=status)

        self.app.exception_handler(UserError)(answer)
