import os
from pathlib import Path

import pytest

from reporting.formats import output


def test_file_is_replaced_only_by_a_whole_one_and_read_by_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    output.write(b"old", str(path))
    output.write(b"new", str(path))
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_file_that_cannot_be_written_leaves_the_old_one_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.csv"
    path.write_bytes(b"old")

    def fail(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        output.write(b"new", str(path))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_device_is_written_to_and_stays() -> None:
    output.write(b"gone", os.devnull)
    assert Path(os.devnull).is_char_device()
