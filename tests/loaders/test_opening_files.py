"""Between the walk and the read a name may come to mean something else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from socket import AF_UNIX, socket
from threading import Event, Thread

import pytest

from rag.loaders import Unreadable, read_file


def pipe(path: Path) -> None:
    os.mkfifo(path)


def named_socket(path: Path) -> None:
    with socket(AF_UNIX) as made:
        made.bind(str(path))


def folder(path: Path) -> None:
    path.mkdir()


def link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("becomes", [pipe, named_socket, folder, link_to_a_device, link_to_itself])
def test_what_is_no_regular_file_any_more_is_neither_read_nor_waited_for(
    tmp_path: Path, becomes: Callable[[Path], None]
) -> None:
    becomes(tmp_path / "a.txt")
    started = time.monotonic()
    with pytest.raises(Unreadable):
        read_file(tmp_path / "a.txt", 1000)
    assert time.monotonic() - started < 1


def test_a_file_that_became_a_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "root" / "a.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(Unreadable, match=r"loader\.follow_links"):
        read_file(tmp_path / "root" / "a.txt", 1000, [tmp_path / "root"])
    assert read_file(tmp_path / "root" / "a.txt", 1000) == b"secret"


def test_a_folder_that_became_a_link_out_of_the_folder_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.txt").write_text("secret")
    (tmp_path / "root" / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unreadable, match=r"loader\.follow_links"):
        read_file(tmp_path / "root" / "sub" / "a.txt", 1000, [tmp_path / "root"])


def test_a_file_that_vanished_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read: No such file or directory"):
        read_file(tmp_path / "gone.txt", 1000)


def test_a_sparse_file_of_a_terabyte_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "sparse.txt").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Unreadable, match="too large: 1,099,511,627,776 bytes"):
        read_file(tmp_path / "sparse.txt", 1000)


def test_a_file_without_a_true_size_is_read_up_to_the_limit() -> None:
    assert read_file(Path("/proc/self/status"), 100_000)
    with pytest.raises(Unreadable, match="too large"):
        read_file(Path("/proc/self/status"), 10)


def test_of_a_file_that_grows_no_more_is_read_than_is_allowed(tmp_path: Path) -> None:
    grown, ended = tmp_path / "a.log", Event()
    grown.write_text("x")

    def grow() -> None:
        with grown.open("a") as file:
            while not ended.is_set():
                file.write("x" * 1000)
                file.flush()

    growing = Thread(target=grow)
    growing.start()
    try:
        with pytest.raises(Unreadable, match="too large"):
            all(len(read_file(grown, 200_000)) <= 200_000 for _ in count())
    finally:
        ended.set()
        growing.join()
