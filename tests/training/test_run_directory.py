import os

import pytest

from minigrad.training import RUN_FILES, check_run_directory, create_run_directory, new_run_directory


def test_folders_are_created(tmp_path):
    folder = create_run_directory(str(tmp_path / "a" / "b"))
    assert folder == tmp_path / "a" / "b" and folder.is_dir()
    assert create_run_directory(folder) == folder  # an empty one will do


def test_other_files_are_no_hindrance_and_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    create_run_directory(tmp_path)
    create_run_directory(tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", RUN_FILES)
def test_an_earlier_run_is_refused_and_left_alone(tmp_path, name):
    (tmp_path / name).write_text("earlier")
    with pytest.raises(FileExistsError, match=f"holds {name} of an earlier run") as caught:
        create_run_directory(tmp_path)
    assert caught.value.filename == str(tmp_path)
    assert (tmp_path / name).read_text() == "earlier"


def test_overwrite_removes_the_files_of_the_earlier_run_and_no_other(tmp_path):
    for name in (*RUN_FILES, "model.safetensors"):
        (tmp_path / name).write_text("earlier")
    create_run_directory(tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_file_in_the_way_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    for path in ("file", "file/runs/first"):
        with pytest.raises(NotADirectoryError, match="this is a file") as caught:
            create_run_directory(tmp_path / path)
        assert caught.value.filename == str(tmp_path / "file")
    with pytest.raises(OSError):
        new_run_directory(tmp_path / "file" / "run")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(PermissionError):
        create_run_directory(tmp_path)


def test_checking_creates_nothing_and_deletes_nothing(tmp_path):
    assert check_run_directory(tmp_path / "runs" / "first") == tmp_path / "runs" / "first"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "metrics.csv").write_text("earlier")
    check_run_directory(tmp_path, overwrite=True)
    with pytest.raises(FileExistsError, match=r"holds metrics\.csv of an earlier run"):
        check_run_directory(tmp_path)
    assert (tmp_path / "metrics.csv").read_text() == "earlier"


def test_new_folders_are_numbered_and_an_existing_one_is_never_used(tmp_path):
    (tmp_path / "conv-2").mkdir()
    names = [new_run_directory(tmp_path / "runs" / ".." / "conv").name for _ in range(3)]
    assert names == ["conv", "conv-3", "conv-4"]
