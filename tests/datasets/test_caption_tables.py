"""Tables of captions: whatever wrote them, each caption comes back, or the row is named."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from aitk_nb.datasets.local.caption_tables import read_table

TEXTS = st.text(st.sampled_from(list("ab é,;\t|\"'\\\r\n\u2028\u0085")), max_size=12)
MODES = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=5),
    delimiter=st.sampled_from(",;\t|"),
    quote=st.sampled_from("\"'"),
    mode=st.sampled_from(MODES),
    escapes=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    header=st.sampled_from([("file_name", "text"), ("", "image", "prompt"), ("caption", "file")]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_each_caption_comes_back_or_the_row_is_named(  # noqa: PLR0913, PLR0917
    tmp_path: Path,
    texts: list[str],
    delimiter: str,
    quote: str,
    mode: int,
    escapes: bool,
    end: str,
    header: tuple[str, ...],
    encoding: str,
) -> None:
    """In each way in which the standard library can write a table."""
    written = io.StringIO(newline="")
    writer = csv.writer(
        written,
        delimiter=delimiter,
        quotechar=quote,
        quoting=mode,  # type: ignore[arg-type]
        doublequote=not escapes,
        escapechar="\\" if escapes or mode == csv.QUOTE_NONE else None,
        lineterminator=end,
    )
    rows = [(f"{n}.png", text) for n, text in enumerate(texts)]
    writer.writerow(header)
    for n, (file, text) in enumerate(rows):
        writer.writerow((text, file) if header[0] == "caption" else (n, file, text)[-len(header) :])
    path = tmp_path / "metadata.csv"
    path.write_bytes(written.getvalue().encode(encoding))
    found = read_table(path)
    if found.faults:
        assert not found.captions and found.faults[0].startswith("row ")
    else:
        assert found.captions == dict(rows)
