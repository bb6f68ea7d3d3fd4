"""``cli.py annotate``: mark objects of a video in the browser, and let the tracker follow them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robustvos.commands.closing import after_annotating
from robustvos.commands.tool import run_tool
from robustvos.errors import UserError
from robustvos.files.naming import printable
from robustvos.files.paths import refuse_dataset_folders, refuse_inputs_as_output


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(annotate, argv, positional=["video"])


def annotate(
    video: Path,
    out: Path | None = None,
    masks: Path | None = None,
    classes: bool = False,
    least_area: int = 64,
    model: str = "sam2",
    sam2: str = "small",
    ckpt_path: Path | None = None,
    device: str = "auto",
    host: str = "127.0.0.1",
    port: int = 8080,
    token: str | None = None,
    open: bool = True,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Mark objects with clicks, boxes and a brush in the browser, on any frame; the tracker follows them from there.

    Everything is saved as it is made: OUT/masks/FRAME.png, OUT/prompts.jsonl (for track --prompts) and OUT/annotation.json. The
    same command opens it again. The page saves trees in the layouts of DAVIS, ACDC-Video and MVSeg too. Ctrl-C ends it.

      cli.py annotate a.mp4
      cli.py annotate frames/ --masks labels/ --classes

    Args:
        video: Any video file, or a folder of frames (JPEG, PNG, WebP, BMP, TIFF).
        out: Folder for what is made. By default annotations/NAME, after the video.
        masks: Folder of masks to begin with: one indexed PNG a frame, named as the frame is or by its number.
        classes: The masks say classes, not objects: connected regions become objects, followed by their overlap.
        least_area: With --classes, regions of fewer pixels are left out.
        model: A name in configs/model.
        sam2: A name in configs/sam2.
        ckpt_path: Trained adapter, of a run or exported.
        device: cpu, cuda, or auto.
        host: Where to listen. Others than this machine can reach 0.0.0.0, and then need the token in the printed address.
        port: Port to listen on; 0: any that is free.
        token: Letters and digits that open the page; made up if others can reach it.
        open: Open the page in this machine's browser.
        settings: Of system and base, one by one.
    """
    from robustvos.commands.annotating import claimed, open_annotation
    from robustvos.commands.tracking import usable_device
    from robustvos.systems.loading import load_system
    from robustvos.video.frames import open_frames
    from robustvos.web.annotate import AnnotatePage
    from robustvos.web.frames import FramePictures
    from robustvos.web.serve import Address, Page

    address = Address(host, port, token)
    frames = open_frames(video)
    name = video.resolve().name if video.is_dir() else video.stem
    folder = Path("annotations") / name if out is None else out
    refuse_inputs_as_output(folder, [video, masks, ckpt_path])
    refuse_dataset_folders(folder)
    if least_area < 1:
        raise UserError(f"--least_area {least_area}: give at least 1 pixel")
    if classes and masks is None:
        raise UserError("--classes says what --masks are; give --masks DIR")
    page = Page(f"annotate {name}", address)
    with claimed(folder):
        annotation, store = open_annotation(frames, folder, masks, classes, least_area)
        for note in frames.notes:
            print(printable(f"{video}: {note}"))
        system = load_system(model, sam2=sam2, checkpoint=ckpt_path, settings=settings).to(usable_device(device))
        pictures = FramePictures(frames)
        annotate_page = AnnotatePage(annotation, system, pictures, store, name)
        annotate_page.add_to(page)

        def ready(url: str) -> None:
            print(printable(f"annotate {name}: open {url}   (saved in {folder}; Ctrl-C ends)"), flush=True)
            if open:
                _open_browser(url)

        try:
            page.run(ready)
        finally:
            annotate_page.tracker.stop()
    print(printable(f"\nannotated: {folder}"))
    print(printable(after_annotating(video, folder)))


def _open_browser(url: str) -> None:
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
