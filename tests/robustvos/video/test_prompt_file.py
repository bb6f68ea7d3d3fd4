from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from robustvos.errors import BadMask, BadPrompt, DataNotFound
from robustvos.video.masks import write_binary_mask
from robustvos.video.prompt_file import PromptLine, read_prompt_lines, write_prompt_lines


def written(tmp_path: Path, *lines: object) -> Path:
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_line_of_the_documentation_is_read_whole(tmp_path):
    path = written(
        tmp_path,
        {
            "video": "a.mp4",
            "frame": 40,
            "object": 2,
            "points": [[3, 4, 1], [5, 6, 0], [7.5, 8]],
            "box": [1, 2, 30, 40],
            "remove": False,
            "role": "container",
            "rest_frame": 96,
            "category": "mobile",
            "depth": 0.2,
        },
    )
    (line,) = read_prompt_lines(path)
    assert line == PromptLine(
        40,
        2,
        tmp_path / "a.mp4",
        ((3.0, 4.0, 1), (5.0, 6.0, 0), (7.5, 8.0, 1)),
        (1.0, 2.0, 30.0, 40.0),
        role="container",
        rest_frame=96,
        category="mobile",
        depth=0.2,
    )


def test_what_is_written_is_read_back_from_another_folder(tmp_path):
    lines = (
        PromptLine(0, 1, tmp_path / "videos" / "ä b.mp4", points=((1.0, 2.5, 1),)),
        PromptLine(9, 1, tmp_path / "videos" / "ä b.mp4", mask=tmp_path / "m.png", role="carrier", rest_frame=12),
        PromptLine(30, 1, remove=True),
    )
    path = tmp_path / "deep" / "prompts.jsonl"
    write_prompt_lines(lines, path)
    back = read_prompt_lines(path)
    assert [line.video and line.video.resolve() for line in back] == [
        line.video and line.video.resolve() for line in lines
    ]
    assert back[1].mask is not None and back[1].mask.resolve() == tmp_path / "m.png"
    assert [(b.frame, b.role, b.rest_frame, b.remove, b.points) for b in back] == [
        (a.frame, a.role, a.rest_frame, a.remove, a.points) for a in lines
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "is not JSON"),
        ([1], "no JSON object"),
        ({"frame": 0, "object": 1, "bx": [1, 2, 3, 4]}, "unknown key 'bx'"),
        ({"object": 1, "box": [1, 2, 3, 4]}, "frame is None"),
        ({"frame": -1, "object": 1, "box": [1, 2, 3, 4]}, "frame is -1"),
        ({"frame": True, "object": 1, "box": [1, 2, 3, 4]}, "frame is True"),
        ({"frame": 0, "object": 0, "box": [1, 2, 3, 4]}, "object is 0"),
        ({"frame": 0, "object": 1, "box": [3, 2, 1, 4]}, "x1 > x0"),
        ({"frame": 0, "object": 1, "box": [1, 2, 3]}, "x1 > x0"),
        ({"frame": 0, "object": 1, "box": 7}, "expected a list"),
        ({"frame": 0, "object": 1, "points": [[1, 2, 3]]}, "inside"),
        ({"frame": 0, "object": 1, "points": [["a", 2]]}, "a coordinate is 'a'"),
        ({"frame": 0, "object": 1, "mask": "m.png", "box": [1, 2, 3, 4]}, "one kind"),
        ({"frame": 0, "object": 1}, "says nothing"),
        ({"frame": 0, "object": 1, "role": "lid", "box": [1, 2, 3, 4]}, "object, container, carrier"),
        ({"frame": 0, "object": 1, "category": "loose", "box": [1, 2, 3, 4]}, "surface, articulated, mobile"),
        ({"frame": 0, "object": 1, "mask": 3}, "path relative"),
        ({"frame": 0, "object": 1, "remove": "yes", "box": [1, 2, 3, 4]}, "true or false"),
        ('{"frame": 0, "object": 1, "depth": NaN, "box": [1, 2, 3, 4]}', "depth is nan"),
    ],
)
def test_bad_line_is_named_with_what_is_wrong(tmp_path, line, says):
    path = written(tmp_path, {"frame": 0, "object": 1, "box": [1, 2, 3, 4]}, "", line)
    with pytest.raises(BadPrompt, match=says) as error:
        read_prompt_lines(path)
    assert "line 3" in str(error.value) and "\n" not in str(error.value)


def test_missing_and_empty_files_are_refused(tmp_path):
    with pytest.raises(BadPrompt, match="cannot be read"):
        read_prompt_lines(tmp_path / "none.jsonl")
    with pytest.raises(BadPrompt, match="holds no prompt"):
        read_prompt_lines(written(tmp_path, "", ""))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(BadPrompt, match="UTF-8"):
        read_prompt_lines(tmp_path / "binary")


def test_prompt_for_a_tracker_has_the_marks_in_native_pixels(tmp_path):
    prompt = PromptLine(4, 3, points=((1.0, 2.0, 1), (5.0, 0.0, 0)), box=(0.0, 0.0, 6.0, 5.0)).as_prompt((8, 10))
    assert (prompt.object_id, prompt.frame) == (3, 4)
    assert prompt.points is not None and prompt.points.tolist() == [[1, 2], [5, 0]]
    assert prompt.labels is not None and prompt.labels.tolist() == [1, 0]
    assert prompt.box is not None and prompt.box.tolist() == [0, 0, 6, 5]


def test_marks_that_do_not_fit_the_frame_are_refused(tmp_path):
    with pytest.raises(BadPrompt, match="point 10,2 lies outside of the frame of 10x8"):
        PromptLine(0, 1, points=((10.0, 2.0, 1),)).as_prompt((8, 10))
    with pytest.raises(BadPrompt, match="box lies outside"):
        PromptLine(0, 1, box=(10.0, 0.0, 12.0, 4.0)).as_prompt((8, 10))
    mask = torch.zeros(8, 9, dtype=torch.bool)
    mask[2:4] = True
    write_binary_mask(mask, tmp_path / "m.png")
    with pytest.raises(BadMask, match="9x8, the video 10x8"):
        PromptLine(0, 1, mask=tmp_path / "m.png").as_prompt((8, 10))
    assert bool((PromptLine(0, 1, mask=tmp_path / "m.png").as_prompt((8, 9)).mask == mask).all())
    with pytest.raises(DataNotFound):
        PromptLine(0, 1, mask=tmp_path / "none.png").as_prompt((8, 9))
