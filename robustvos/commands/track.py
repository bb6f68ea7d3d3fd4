"""``cli.py track``: follow objects through any video, streaming; masks, scores and an overlay video out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustvos.commands.mask_format import MaskFormat
from robustvos.commands.tool import run_tool
from robustvos.errors import BadPrompt, UserError
from robustvos.files.naming import printable
from robustvos.files.paths import refuse_dataset_folders, refuse_inputs_as_output, under

if TYPE_CHECKING:
    from robustvos.video.frames import Frames
    from robustvos.video.live import LiveFrames

_MODEL, _BASE = "sam2", "small"  # without a checkpoint


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(track, argv, positional=["video"])


def track(
    video: str,
    out: Path,
    box: list[str] | None = None,
    point: list[str] | None = None,
    mask: Path | None = None,
    frame: int = 0,
    prompts: Path | None = None,
    backwards: bool = False,
    format: MaskFormat = "png",
    compare: str | None = None,
    limit: int | None = None,
    model: str | None = None,
    sam2: str | None = None,
    ckpt_path: Path | None = None,
    device: str = "auto",
    overlay: bool = True,
    onnx: Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Follow objects that are pointed at through a video, a camera or a stream.

    Writes OUT/masks/FRAME.png (indexed, DAVIS palette; --format for others), OUT/scores.csv and OUT/overlay.mp4. Nothing of an
    earlier run in OUT is lost: OUT must not hold masks yet, nor be or contain what is read.

      cli.py track a.mp4 --box 1:40,30,200,180 --point 2:300,90 --frame 12 --out DIR
      cli.py track a.mp4 --prompts prompts.jsonl --backwards --out DIR
      ffmpeg -i IN -f matroska - | cli.py track - --point 320,240 --out DIR

    Args:
        video: Any video file; a folder of frames (JPEG, PNG, WebP, BMP, TIFF); the number of a camera; an address
            (rtsp://, http://); or - for a video on standard input. A camera or stream ends with Ctrl-C, or --limit.
        out: Folder for the results.
        box: x0,y0,x1,y1 in pixels, or OBJECT:x0,y0,x1,y1; repeat it for several objects.
        point: x,y (inside the object) or x,y,0 (outside of it) in pixels; repeat it for several clicks on one object, or
            write OBJECT:x,y for clicks on several.
        mask: PNG with the objects; each grey level or palette index but 0 is one.
        frame: The frame that box, point and mask are for, counted from 0.
        prompts: Prompt file (JSON lines, docs/annotate.md): any number of objects on any frames, corrections, removals.
        backwards: Also follow each object from its first prompt back to the beginning of the video.
        format: png: OUT/masks/FRAME.png; coco_rle: OUT/masks.json; ytvos: OUT/Annotations/VIDEO/FRAME.png and OUT/meta.json.
        compare: A second system, a name in configs/model, on the same base: its masks and scores go to OUT/NAME, and both are
            seen side by side in OUT/compare.mp4.
        limit: Stop after so many frames.
        model: A name in configs/model. By default sam2, the frozen model, or what ckpt_path was trained as.
        sam2: A name in configs/sam2. By default small, which is for real video; nano with an adapter (--model), since the one
            shipped is for nano; or what ckpt_path was trained on.
        ckpt_path: Trained adapter, of a run or exported; by default the one that is shipped with the base.
        device: cpu, cuda, or auto.
        overlay: Write OUT/overlay.mp4; false leaves it out, which saves the time of drawing and encoding it.
        onnx: Folder that export --onnx wrote of the same system: image encoder and memory attention run in onnxruntime, on
            the CPU.
        settings: Of system and base, one by one.
    """
    from robustvos.commands.closing import after_tracking
    from robustvos.commands.track_follow import Follower
    from robustvos.commands.track_outputs import COMPARED, MASKS_OF, META, OVERLAY, SCORES
    from robustvos.commands.track_prompts import Typed
    from robustvos.commands.tracking import check_frames, compared, name_of, parts_of, put, stream, usable_device
    from robustvos.systems.loading import load_system
    from robustvos.systems.zoo import base_notice
    from robustvos.video.frames import open_frames
    from robustvos.video.live import LiveFrames, is_live, open_live

    place = usable_device("cpu" if onnx is not None and device == "auto" else device)
    live = is_live(video)
    _check_options(live, backwards, limit)
    refuse_inputs_as_output(out, [None if live else video, mask, prompts, ckpt_path])
    refuse_dataset_folders(out)
    frames: Frames | LiveFrames = open_live(video) if live else open_frames(video)
    notes = () if isinstance(frames, LiveFrames) else frames.notes
    prompted = Typed(box or [], point or [], mask, frame, prompts).read(frames.size, video, notes)
    length = None if isinstance(frames, LiveFrames) else min(len(frames), limit or len(frames))
    check_frames(prompted, length, video)
    made = [MASKS_OF[format], SCORES, *([META] if format == "ytvos" else []), *([OVERLAY] if overlay else [])]
    made += [] if compare is None else [compare, *([COMPARED] if overlay else [])]
    _refuse_earlier(out, [*MASKS_OF.values(), *made])
    for note in notes:
        print(printable(f"{video}: {note}"))
    model, sam2 = _chosen(model, sam2, ckpt_path)
    system = load_system(model, sam2=sam2, checkpoint=ckpt_path, settings=settings).to(place)
    print(printable(base_notice(system.sam2.variant, adapted=ckpt_path is not None)), flush=True)
    followers = [Follower(system, prompted, length)]
    if compare is not None:
        followers.append(Follower(compared(compare, system, sam2, settings).to(place), prompted, length))
    with parts_of(out) as parts, _graphs(system.model, onnx, place.type):
        if backwards and not isinstance(frames, LiveFrames):
            for follower in followers:
                follower.look_back(frames)
        count = stream(frames, limit, followers, parts, format, name_of(video), overlay)
        if count <= prompted.last_frame:
            raise BadPrompt(
                f"{video} ended after {count} frames, before frame {prompted.last_frame}, which is prompted; check --frame"
            )
        for name in made:
            put(parts / name, under(out, name))
    done = f"{count} frames, {len(prompted.object_ids)} object(s), {system.name} on {system.sam2.variant}: "
    print(printable(done + ", ".join(str(out / name) for name in made)))
    if not live:
        print(printable(after_tracking(Path(video), out)))


def _check_options(live: bool, backwards: bool, limit: int | None) -> None:
    if live and backwards:
        raise UserError("--backwards needs a file or a folder: a stream cannot be read from its end")
    if limit is not None and limit < 1:
        raise UserError(f"--limit {limit}: give at least 1 frame")


def _graphs(model: Any, folder: Path | None, device: str) -> AbstractContextManager[None]:
    """What runs the files of ``export --onnx`` instead of the model's own parts; nothing without a folder."""
    if folder is None:
        return nullcontext()
    if device != "cpu":
        raise UserError("--onnx runs on the CPU; add --device cpu")
    from robustvos.sam2.onnx_files import running_files

    return running_files(model, folder)


def _refuse_earlier(out: Path, names: Iterable[str]) -> None:
    for name in names:
        place = out / name
        if place.is_file() or (place.is_dir() and any(place.iterdir())):
            raise UserError(f"{place} is of an earlier run; choose another --out, or remove it")


def _chosen(model: str | None, sam2: str | None, ckpt_path: Path | None) -> tuple[str | None, str | None]:
    """Names of system and base: what was said, else the defaults; a checkpoint says for itself."""
    if ckpt_path is not None:
        return model, sam2
    model = model or _MODEL
    return model, sam2 or (_BASE if model == _MODEL else None)
