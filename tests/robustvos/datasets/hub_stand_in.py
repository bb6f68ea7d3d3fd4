"""The part of the Hub's HTTP interface that fetching a dataset asks for, served from a folder of this machine."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

SHA = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub_of(folder: Path, repository: str, licence: str = "cc-by-nc-4.0", gated: bool = False) -> Iterator[str]:
    """Serve the files of ``folder`` as dataset ``repository``; gives the address for ``HF_ENDPOINT``."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}

    class Handler(BaseHTTPRequestHandler):
        def answer(self, code: int, body: bytes, **headers: str) -> None:
            self.send_response(code)
            headers = {"Content-Length": str(len(body)), "X-Repo-Commit": SHA, **headers}
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_GET(self) -> None:
            path = unquote(urlparse(self.path).path)
            api, resolve = f"/api/datasets/{repository}", f"/datasets/{repository}/resolve/{SHA}/"
            if not path.startswith((api, resolve)):
                self.answer(401, b"{}", X_Error_Code="RepoNotFound")
            elif gated:
                self.answer(403, b"{}", X_Error_Code="GatedRepo")
            elif path.startswith(f"{api}/tree/"):
                tree = [
                    {"type": "file", "path": name, "size": p.stat().st_size, "oid": etag(p)}
                    for name, p in files.items()
                ]
                self.answer(200, json.dumps(tree).encode(), Content_Type="application/json")
            elif path.startswith(api):
                siblings = [{"rfilename": name, "size": p.stat().st_size} for name, p in files.items()]
                told = {"id": repository, "sha": SHA, "siblings": siblings, "cardData": {"license": licence}}
                self.answer(200, json.dumps(told).encode(), Content_Type="application/json")
            else:
                file = files[path.removeprefix(resolve)]
                self.answer(200, file.read_bytes(), ETag=f'"{etag(file)}"')

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test has no reader."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def etag(file: Path) -> str:
    """Of a file's content, as the Hub has it."""
    return hashlib.sha1(file.read_bytes()).hexdigest()
