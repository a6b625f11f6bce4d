"""The file of settings: what a line means, and what is said of one that means nothing."""

import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from runtime import env_file

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X=a", "a"),
        ("X=", ""),
        ("X= a ", "a"),
        ("  X = a", "a"),
        ("export X=a", "a"),
        ("X=a\r", "a"),
        ('X="a b"', "a b"),
        ("X='a b' ", "a b"),
        ('X="a # b" # why', "a # b"),
        (r'X="a\"b\\c\n"', r"a\"b\\c\n".replace('\\"', '"').replace("\\\\", "\\")),
        (r"X='a\\b'", r"a\\b"),
        ("X=1 # one", "1"),
        ("X= # nothing", ""),
        ("X=\t#nothing", ""),
        # Keys that Django makes may begin so.
        ("X=#a1b2", "#a1b2"),
        ("X=#a # why", "#a"),
        ("X=a#b", "a#b"),
        ("X=$HOME", "$HOME"),
        ("X=a=b", "a=b"),
        ("X=it's", "it's"),
        ('X="a","b"', '"a","b"'),
        ("X=1\nX=2", "2"),
        ("# X=1\n\n#X=2\nX=3", "3"),
    ],
)
def test_line(line: str, value: str) -> None:
    assert env_file.parse(line, "f") == {"X": value}


@pytest.mark.parametrize("line", ["X: a", "X", "a b=c", "1X=a", "-X=a", "=a", "X-Y=a", "set X=a", "{"])
def test_line_that_is_none_is_named_by_its_number_and_not_shown(line: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        env_file.parse(f"A=1\n# comment\n{line}secret\n", "/srv/.env")
    assert str(raised.value) == "/srv/.env, line 3, cannot be read: write NAME=value, or # in front."


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is not there yet, in a directory without another; what is set meanwhile is undone."""
    for name in ("ENV_FILE", "WEB_CONCURRENCY", "X", "Y", "Z", env_file.OF_FILE):
        monkeypatch.setenv(name, "to be restored")
        monkeypatch.delenv(name)
    monkeypatch.setattr(env_file, "names", [])
    return tmp_path / ".env"


def test_environment_wins_unless_it_is_blank(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("X=1\nY=2\nZ=3\n")
    monkeypatch.setenv("X", "mine")
    monkeypatch.setenv("Y", " ")
    env_file.take(file.parent)
    assert (os.environ["X"], os.environ["Y"], os.environ["Z"]) == ("mine", "2", "3")
    assert env_file.names == ["X", "Y", "Z"]


@pytest.mark.parametrize("value", [None, "", " "])
def test_no_file_is_none(file: Path, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is not None:
        monkeypatch.setenv("ENV_FILE", value)
    env_file.take(file.parent)
    assert env_file.names == []


@pytest.mark.parametrize(
    "value", ["prod.env", "./prod.env", '"prod.env"', "' {}/prod.env '", "{}/prod.env", "~/prod.env"]
)
def test_name_of_the_file_is_read_like_every_path(file: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Relative to the directory of `manage.py` and not to where a command is called, with or without quotes."""
    (file.parent / "prod.env").write_text("X=1\n")
    elsewhere = file.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(file.parent))
    monkeypatch.setenv("ENV_FILE", value.format(file.parent))
    env_file.take(file.parent)
    assert os.environ["X"] == "1"


def test_file_with_the_mark_that_windows_puts_in_front_is_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfX=1\r\nY=2\r\n")
    env_file.take(file.parent)
    assert (os.environ["X"], os.environ["Y"]) == ("1", "2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "ENV_FILE is '{}', and there is no such file."),
        (b"X=\xe9\n", "{} cannot be read: save it as UTF-8."),
        ("X=1".encode("utf-16"), "{} cannot be read: save it as UTF-8."),
        (b"X 1", "{}, line 1, cannot be read: write NAME=value, or # in front."),
    ],
)
def test_file_that_cannot_be_read_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, message: str
) -> None:
    monkeypatch.setenv("ENV_FILE", str(file))
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ImproperlyConfigured) as raised:
        env_file.take(file.parent)
    assert str(raised.value) == message.format(file)


def test_directory_in_the_place_of_the_file_is_named(file: Path) -> None:
    """Docker makes one of a file that is mounted and not there."""
    file.mkdir()
    with pytest.raises(ImproperlyConfigured, match="cannot be read: Is a directory"):
        env_file.take(file.parent)


def test_reload_forgets_what_has_left_the_file_and_keeps_all_while_there_is_none(file: Path) -> None:
    file.write_text("X=1\nY=2\n")
    env_file.take_for_workers(file.parent)
    file.write_text("X=3\n")
    env_file.take_for_workers(file.parent)
    assert os.environ["X"] == "3"
    assert "Y" not in os.environ
    file.unlink()
    env_file.take_for_workers(file.parent)
    assert os.environ["X"] == "3"


def test_worker_has_the_settings_of_its_server_until_a_reload(file: Path) -> None:
    """One that is started in the place of another must not differ from its neighbours."""
    file.write_text("X=1\n")
    env_file.take_for_workers(file.parent)
    file.write_text("X=2\nY=2\n")
    env_file.take(file.parent)
    assert os.environ["X"] == "1"
    assert "Y" not in os.environ


@pytest.mark.parametrize("value", ["", " ", "two", '"2"', "2.0"])
def test_number_of_workers_that_ends_gunicorn_in_a_traceback_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    file.write_text("WEB_CONCURRENCY=2\n")
    monkeypatch.setenv("WEB_CONCURRENCY", value)
    with pytest.raises(ImproperlyConfigured, match=r"^WEB_CONCURRENCY is .* which gunicorn cannot read"):
        env_file.take(file.parent)
    monkeypatch.setenv("WEB_CONCURRENCY", " 3 ")
    env_file.take(file.parent)
