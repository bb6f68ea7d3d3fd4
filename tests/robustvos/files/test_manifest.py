import json
import multiprocessing

import numpy as np
import pytest

from robustvos.errors import DataNotFound
from robustvos.files.manifest import Manifest, encode_line, locked

pytestmark = pytest.mark.fast


def test_lines_come_back_and_the_last_of_a_key_counts(tmp_path):
    manifest = Manifest(tmp_path / "deep" / "m.jsonl")
    assert manifest.read() == {}
    assert manifest.add({"key": "b", "n": 1})
    assert manifest.add({"key": "a", "n": np.float64(0.5)})
    assert manifest.add({"key": "b", "n": 2})
    assert not manifest.add({"key": "b", "n": 2}), "an equal line is not repeated"
    assert manifest.read() == {"b": {"key": "b", "n": 2}, "a": {"key": "a", "n": 0.5}}


def test_torn_last_line_is_passed_over_and_removed_by_the_next_writer(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_bytes(encode_line({"key": "a"}) + b'{"key": "b", "fi')
    manifest = Manifest(path)
    assert list(manifest.read()) == ["a"]
    manifest.add({"key": "c"})
    assert path.read_bytes() == encode_line({"key": "a"}) + encode_line({"key": "c"})


def test_settled_bytes_depend_on_the_lines_alone(tmp_path):
    lines = [{"key": key, "n": n} for n, key in enumerate("dbca")]
    for name, order in (("one", lines), ("two", [*lines[::-1], *lines])):
        manifest = Manifest(tmp_path / name)
        for line in order:
            manifest.add(line)
        manifest.settle(lambda line: line["key"] != "c")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert list(Manifest(tmp_path / "one").read()) == ["a", "b", "d"]


def test_broken_line_is_named(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"key": "a"}\nnonsense\n')
    with pytest.raises(DataNotFound, match="line 2"):
        Manifest(path).read()
    path.write_text(json.dumps({"name": "a"}) + "\n")
    with pytest.raises(DataNotFound, match="no 'key'"):
        Manifest(path).read()


def test_nan_is_refused(tmp_path):
    with pytest.raises(ValueError):
        Manifest(tmp_path / "m").add({"key": "a", "n": float("nan")})


def _add_many(path, start):
    for n in range(start, 60, 2):
        Manifest(path).add({"key": f"{n:03d}", "text": "x" * 500})


def test_two_processes_add_to_one_file(tmp_path):
    path = tmp_path / "m.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_add_many, args=(path, start)) for start in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert sorted(Manifest(path).read()) == [f"{n:03d}" for n in range(60)]
    assert path.read_bytes().count(b"\n") == 60


def test_lock_that_is_not_waited_for(tmp_path):
    with locked(tmp_path / "l") as first, locked(tmp_path / "l", wait=False) as second:
        assert first and not second
    with locked(tmp_path / "l", shared=True) as first, locked(tmp_path / "l", shared=True, wait=False) as second:
        assert first and second
