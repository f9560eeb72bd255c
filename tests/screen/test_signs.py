"""What a terminal cannot show is replaced, and never ends a run."""

from __future__ import annotations

import io
import sys

import pytest

from mtlbench.screen.signs import replace_missing_signs


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("ascii", "Δm +1.3 ± 0.2 % – fertig", "delta m +1.3 +- 0.2 % - fertig"),
        ("ascii", "mètre carré m²", "metre carre m2"),
        ("ascii", "日本 \udcff", "?? ?"),
        ("iso-8859-1", "größe ± 1 ✔", "größe ± 1 +"),
        ("utf-8", "größe ± 1 ✔", "größe ± 1 ✔"),
    ],
)
def test_a_sign_that_is_missing_becomes_another(
    monkeypatch: pytest.MonkeyPatch, encoding: str, text: str, shown: str
) -> None:
    bytes_written = io.BytesIO()
    stream = io.TextIOWrapper(bytes_written, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    replace_missing_signs()
    print(text, file=stream, flush=True)
    assert bytes_written.getvalue().decode(encoding) == shown + "\n"


def test_a_stream_without_an_encoding_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    replace_missing_signs()
    print("±", file=stream)
    assert stream.getvalue() == "±\n"
