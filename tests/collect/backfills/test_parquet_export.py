"""A Parquet export: row groups that its readers can work with, made in bounded memory."""

from pathlib import Path

import pyarrow.parquet
import pytest

from collect.backfills.exporting import ExportOptions, export_events
from collect.backfills.formats import pages, parquet_file
from collect.backfills.run import Run
from collect.models import Event
from collect.storage import ingest
from keys.models import ApiKey
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True)


def row_groups(path: Path) -> list[int]:
    """The number of rows of each row group."""
    metadata = pyarrow.parquet.read_metadata(path)
    return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.parquet"


@pytest.fixture
def ids(api_key: ApiKey) -> list[str]:
    source = factories.source(api_key)
    ingest.write([factories.arrival(source, params={"text": "x" * 1000}) for _ in range(23)])
    return [str(id) for id in Event.objects.order_by("id").values_list("id", flat=True)]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [((10, 2**26), [10, 10, 3]), ((23, 2**26), [23]), ((100_000, 2**26), [23]), ((100_000, 4000), [8, 8, 7])],
)
def test_row_groups_are_full_whatever_the_pages(
    ids: list[str], path: Path, monkeypatch: pytest.MonkeyPatch, bounds: tuple[int, int], expected: list[int]
) -> None:
    monkeypatch.setattr(pages, "PAGE", 8)
    monkeypatch.setattr(parquet_file, "GROUP_ROWS", bounds[0])
    monkeypatch.setattr(parquet_file, "GROUP_BYTES", bounds[1])
    export_events(ExportOptions(str(path), "parquet"), Run("export"))
    assert row_groups(path) == expected
    assert pyarrow.parquet.read_table(path, columns=["id"])["id"].to_pylist() == ids


def test_row_group_has_a_hundred_thousand_rows() -> None:
    assert parquet_file.GROUP_ROWS == 100_000


def test_export_of_nothing_is_a_file(path: Path) -> None:
    export_events(ExportOptions(str(path), "parquet"), Run("export"))
    assert row_groups(path) == []
