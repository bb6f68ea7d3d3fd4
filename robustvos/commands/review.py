"""``cli.py review``: judge the clips of a run in the browser, and correct its masks."""

from __future__ import annotations

import getpass
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from robustvos.commands.tool import run_tool
from robustvos.errors import DataNotFound, UserError
from robustvos.files.naming import printable
from robustvos.program import program

if TYPE_CHECKING:
    from robustvos.web.serve import Address, Page


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(review, argv, positional=["folder"])


def review(
    folder: Path,
    reviewer: str | None = None,
    seed: int = 0,
    controls: int | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    token: str | None = None,
    open: bool = True,
) -> None:
    """Pass, fail or flag the clips of a run, a key each; correct the masks of its tracks.

    Clips come in a shuffled order of the reviewer's own, with some among them whose masks are known to be wrong. Verdicts are
    in FOLDER/reviews/REVIEWER.jsonl at once. Several reviewers may work at the same time. Ctrl-C ends it.

      cli.py review runs/street
      cli.py realvas reviews runs/street
      cli.py realvas publish runs/street

    Args:
        folder: Of the run, as given to realvas run --out.
        reviewer: Your name, for agreement. By default the system's user.
        seed: Of the order and the controls.
        controls: Clips with a known fault. By default one for ten clips.
        host: Where to listen. Others than this machine can reach 0.0.0.0, and then need the token in the printed address.
        port: Port to listen on; 0: any that is free.
        token: Letters and digits that open the page; made up if others can reach it.
        open: Open the page in this machine's browser.
    """
    if controls is not None and controls < 0:
        raise UserError(f"--controls {controls}: give 0 or more")
    if not folder.is_dir():
        raise DataNotFound(f"{folder} is no folder; give the one of a run: {program()} realvas run VIDEOS... --out DIR")
    from robustvos.commands.closing import after_reviewing
    from robustvos.reviewing.verdicts import REVIEWS
    from robustvos.web.serve import Address

    address = Address(host, port, token)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", _user()) if reviewer is None else reviewer
    page = review_page(folder, name, seed, controls, address)

    def ready(url: str) -> None:
        print(printable(f"review {folder} as {name}: open {url}   (Ctrl-C ends)"), flush=True)
        if open:
            import threading
            import webbrowser

            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    page.run(ready)
    print(f"\nverdicts: {folder / REVIEWS}")
    print(printable(after_reviewing(folder)))


def review_page(folder: Path, reviewer: str, seed: int, controls: int | None, address: Address) -> Page:
    """The page, not yet running."""
    from robustvos.reviewing.corrections import Corrector
    from robustvos.web.review import ReviewPage
    from robustvos.web.review_masks import MaskPages
    from robustvos.web.serve import Page

    reviewing = ReviewPage(folder, reviewer, seed, controls)
    page = Page(f"review {folder.resolve().name}", address)
    reviewing.add_to(page)
    try:
        MaskPages(Corrector(folder)).add_to(page)
    except DataNotFound:  # a run whose clips were not discovered: contained ones
        page.app.get("/api/tracks")(lambda: {"tracks": []})
    return page


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:  # a container whose user has no name
        raise UserError("this machine does not say who you are; add --reviewer NAME") from error
