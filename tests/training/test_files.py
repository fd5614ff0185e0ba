import json
import os
import stat

import pytest

from minigrad.training import write_atomically, write_json


def test_the_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a.txt"
    write_atomically(path, b"one")
    write_atomically(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_old_file_stays_when_the_new_one_cannot_be_finished(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_atomically(path, b"one")

    def full_disk(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, b"two")
    assert path.read_bytes() == b"one"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_the_mode_is_that_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    write_atomically(tmp_path / "a", b"")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_json_is_valid_for_every_number(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"loss": float("nan"), "list": [float("inf"), 1.5, (2, None)], "name": "é", "yes": True})

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    read = json.loads(path.read_text("utf-8"), parse_constant=refuse)
    assert read == {"loss": None, "list": [None, 1.5, [2, None]], "name": "é", "yes": True}


def test_json_refuses_other_objects_and_writes_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert list(tmp_path.iterdir()) == []
