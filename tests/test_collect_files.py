"""Files, folders, globs and pipes give every line once, however they are cut, packed, renamed or grown."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import threading
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.collect import content, decode, decompress
from triage.collect.files import open_paths
from triage.collect.names import is_document, looks_like_log, named, service_of
from triage.collect.origins import Places
from triage.collect.stdin import standard_input
from triage.errors import UnavailableError, UsageError
from triage.schema import LINES, Batch

Lake = dict[str, int]


def ingest(lake: Lake, *paths: Path | str, take: int | None = None, **options: object) -> tuple[list[str], list[str]]:
    """Texts and notes of the new lines; at most `take` lines are committed, over all batches."""
    texts: list[str] = []
    notes: list[str] = []
    left = take
    for batch in open_paths([str(p) for p in paths], lake.get, **options):  # type: ignore[arg-type]
        assert dict(batch.lines.schema) == LINES
        notes += batch.notes
        count = batch.lines.height if left is None else min(left, batch.lines.height)
        texts += batch.lines["text"].head(count).to_list()
        if count:
            lake.update(batch.cursors_after(count))
        left = None if left is None else left - count
        if left == 0:
            break
    return texts, notes


PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
TEXT = "".join(f"line {n} 中文\n" for n in range(2000)).encode()
WANTED = TEXT.decode().splitlines()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 400)))
def test_cutting_anywhere_gives_the_same_lines(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join(pieces)
    whole = decode.cut(data, 0)
    texts, starts = [], []
    blocks = decode.Blocks(0)
    bounds = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    for low, high in pairwise(bounds):
        for start, block in blocks.feed(data[low:high]):
            lines = decode.cut(block, start)
            texts += lines.text.to_list()
            starts += lines.starts.to_list()
    for start, block in blocks.rest():
        lines = decode.cut(block, start)
        texts += lines.text.to_list()
        starts += lines.starts.to_list()
    if data:
        assert texts == whole.text.to_list()
        assert starts == whole.starts.to_list()
        plain = data.split(b"\n")[: -1 if data.endswith(b"\n") else None]
        plain = [p.removeprefix(b"\xef\xbb\xbf") if n == 0 else p for n, p in enumerate(plain)]
        expected = [p.decode("utf-8", "replace").removesuffix("\r") for p in plain]
        if data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            assert texts == expected


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12), min_size=1, max_size=30), st.data()
)
def test_stopping_anywhere_and_resuming_loses_and_doubles_nothing(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("x") / "app.log"
    path.write_bytes("\n".join(lines).encode() + b"\n")
    os.utime(path, (1, 1))
    lake: Lake = {}
    got: list[str] = []
    for _ in range(4):
        take = data.draw(st.integers(1, 12))
        got += ingest(lake, path, take=take, batch_bytes=data.draw(st.integers(1, 64)))[0]
    got += ingest(lake, path)[0]
    assert got == [line.removesuffix("\r").removeprefix("\ufeff" if n == 0 else "") for n, line in enumerate(lines)]


@pytest.mark.parametrize("suffix", PACKERS)
def test_packed_files_are_the_same_content_as_plain_ones(tmp_path: Path, suffix: str) -> None:
    plain, packed = tmp_path / "app.log", tmp_path / f"app.log.1{suffix}"
    plain.write_bytes(TEXT)
    packed.write_bytes(PACKERS[suffix](TEXT))
    assert ingest({}, packed)[0] == WANTED
    lake: Lake = {}
    assert ingest(lake, plain)[0] == WANTED
    assert ingest(lake, packed)[0] == []


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_packed_file_is_resumed_in_its_middle(tmp_path: Path, suffix: str) -> None:
    packed = tmp_path / f"app.log{suffix}"
    packed.write_bytes(PACKERS[suffix](TEXT))
    lake: Lake = {}
    first, _ = ingest(lake, packed, take=700, batch_bytes=3000)
    assert first + ingest(lake, packed)[0] == WANTED


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_truncated_archive_gives_what_it_holds_and_says_so(tmp_path: Path, suffix: str) -> None:
    packed = tmp_path / f"app.log{suffix}"
    data = PACKERS[suffix](os.urandom(60000).hex().encode() + b"\n" + TEXT)
    packed.write_bytes(data[: len(data) * 2 // 3])
    _, notes = ingest({}, packed)
    assert any("damaged or ends early" in note for note in notes)


def test_a_decompression_bomb_is_stopped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "BOMB_BYTES", 1 << 20)
    bomb = tmp_path / "bomb.log.gz"
    bomb.write_bytes(gzip.compress(b"0" * 79 + b"\n" + (b"0" * 79 + b"\n") * 400_000))
    texts, notes = ingest({}, bomb, batch_bytes=1 << 18)
    assert 0 < len(texts) < 400_000
    assert any("250 times its size" in note for note in notes)


def test_growth_and_rotation_continue_and_a_new_file_is_read_whole(tmp_path: Path) -> None:
    path, lake = tmp_path / "app.log", {}
    path.write_text("a\nb\n")
    assert ingest(lake, path)[0] == ["a", "b"]
    assert ingest(lake, path)[0] == []
    with path.open("a") as file:
        file.write("c\n" * 5000)
    assert len(ingest(lake, path)[0]) == 5000
    path.rename(tmp_path / "app.log.1")
    path.write_text("a\nb\nnew\n")
    texts, notes = ingest(lake, tmp_path)
    assert texts == ["a", "b", "new"]
    assert any("longer content with the same beginning" in note for note in notes)
    assert ingest(lake, tmp_path)[0] == []


def test_files_with_the_same_long_head_are_kept_apart(tmp_path: Path) -> None:
    head = "INFO: same start\n" * 600
    for name in "abc":
        (tmp_path / f"{name}.log").write_text(head + f"only {name}\n" * 10)
    lake: Lake = {}
    assert len(ingest(lake, tmp_path)[0]) == 3 * 610
    assert ingest(lake, tmp_path)[0] == []


def test_the_same_content_twice_in_one_run_is_read_once_and_said(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text("x\ny\n")
    texts, notes = ingest({}, tmp_path)
    assert texts == ["x", "y"]
    assert any("read already in this run" in note for note in notes)


def test_a_last_line_without_newline_counts_and_its_later_rest_is_not_lost(tmp_path: Path) -> None:
    path, lake = tmp_path / "app.log", {}
    path.write_text("a\nhalf")
    assert ingest(lake, path)[0] == ["a", "half"]
    assert ingest(lake, path)[0] == []
    with path.open("a") as file:
        file.write("\n")
    assert ingest(lake, path)[0] == []
    with path.open("a") as file:
        file.write("next\nhal")
    assert ingest(lake, path)[0] == ["next", "hal"]
    with path.open("a") as file:
        file.write("f rest\nz\n")
    texts, notes = ingest(lake, path)
    assert texts == ["f rest", "z"]
    assert any("stored before it was complete" in note for note in notes)


def test_a_writer_at_work_may_finish_its_line(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("a\nhalf")

    def finish() -> None:
        with path.open("a") as file:
            file.write(" done\nnext\n")

    timer = threading.Timer(0.05, finish)
    timer.start()
    lake: Lake = {}
    assert ingest(lake, path)[0] == ["a", "half done"]
    timer.join()
    assert ingest(lake, path)[0] == ["next"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8-sig"])
def test_byte_order_marks_are_understood(tmp_path: Path, encoding: str) -> None:
    path, lake = tmp_path / "app.log", {}
    text = "\ufeff" + "línea 中文 ਊ\r\nzwei\n" * 300 + "drei"
    path.write_bytes(text.removeprefix("\ufeff").encode(encoding) if "sig" in encoding else text.encode(encoding))
    first, _ = ingest(lake, path, take=101, batch_bytes=333)
    rest, _ = ingest(lake, path)
    assert first + rest == ["línea 中文 ਊ", "zwei"] * 300 + ["drei"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_known_without_its_mark(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "app.log"
    path.write_bytes("INFO:app:größer\nzwei\n".encode(encoding))
    assert ingest({}, path)[0] == ["INFO:app:größer", "zwei"]


def test_invalid_bytes_are_replaced_and_counted_and_odd_bytes_kept(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"ok\nbad \xff\xe4\xb8 x\nnul \0 cr \r in\r\n\xc3\x28\n")
    (batch,) = open_paths([path], {}.get)
    assert batch.undecodable == 2
    assert batch.lines["text"].to_list() == ["ok", "bad �� x", "nul \0 cr \r in", "�("]
    assert batch.lines["position"].to_list() == [0, 3, 13, 28]


def test_a_line_longer_than_the_limit_comes_in_pieces_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "MAX_LINE", 1000)
    long = "中" * 5000
    path = tmp_path / "app.log"
    path.write_text(f"a\n{long}\nb\n" + "y" * 1000 + "\r\n" + "z" * 1001 + "\n")
    seen = [ingest({}, path, batch_bytes=size)[0] for size in (64, 1000, 4096, 1 << 20)]
    assert all(texts == seen[0] for texts in seen)
    assert "".join(seen[0]) == f"a{long}b" + "y" * 1000 + "z" * 1001
    assert max(len(t.encode()) for t in seen[0]) <= 1002


def test_a_folder_gives_its_logs_in_order_and_says_what_it_passes_over(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "b.log").write_text("b\n")
    (tmp_path / "sub" / "a.out").write_text("a\n")
    (tmp_path / "again.log").symlink_to(tmp_path / "b.log")
    (tmp_path / "truth.json").write_text('{\n  "a": 1\n}\n')
    (tmp_path / "lines.json").write_text('{"log":"x"}\n{"log":"y"}\n')
    (tmp_path / "README.md").write_text("no log")
    (tmp_path / "image.log").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "broken.log").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.log")
    texts, notes = ingest({}, tmp_path)
    assert texts == ["b", '{"log":"x"}', '{"log":"y"}', "a"]
    said = "\n".join(notes)
    assert "loop" not in said
    for expected in ("README.md", "one JSON document", "an image", "a named pipe", "no such file"):
        assert expected in said


def test_globs_and_repeated_names_read_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("a\n")
    (tmp_path / "b.log").write_text("b\n")
    assert ingest({}, tmp_path / "*.log", tmp_path / "a.log", tmp_path)[0] == ["a", "b"]
    with pytest.raises(UnavailableError, match="no file matches"):
        ingest({}, tmp_path / "*.nothing")


def test_what_was_named_and_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "x.log").write_bytes(b"\x7fELF" + bytes(range(256)))
    (tmp_path / "zip.log").write_bytes(b"PK\x03\x04....")
    for name, error, words in (
        ("pipe", UsageError, "a named pipe"),
        ("x.log", UsageError, "a program"),
        ("zip.log", UsageError, "a zip archive"),
        ("gone.log", UnavailableError, "no such file"),
    ):
        with pytest.raises(error, match=words):
            ingest({}, tmp_path / name)
    with pytest.raises(UsageError, match="a device"):
        ingest({}, "/dev/null")


def test_an_empty_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    assert ingest({}, tmp_path / "a.log") == ([], [f"{tmp_path}/a.log: it is empty"])


@pytest.mark.parametrize(
    ("name", "service", "stream"),
    [
        ("jointo-server-app-json.log", "jointo-server-app", None),
        ("jointo-server-app.stderr.log", "jointo-server-app", "stderr"),
        ("celery_worker_stdout.log", "celery_worker", "stdout"),
        ("postgresql-2026-02-03.log.1.gz", "postgresql", None),
        ("postgresql-2026-02-03_000000.csv", "postgresql", None),
        ("app.log-20260203.zst", "app", None),
        ("app.log.2", "app", None),
        ("syslog", "syslog", None),
        ("web-7d9f_default_app-" + "a" * 64 + ".log", "app", None),
    ],
)
def test_service_names_come_from_file_names(name: str, service: str, stream: str | None) -> None:
    found = named(Path("/logs") / name)
    assert (found.service_name, found.log_iostream) == (service, stream)
    assert looks_like_log(name)


def test_an_engines_own_file_names_its_container(tmp_path: Path) -> None:
    (tmp_path / "config.v2.json").write_text('{"Name":"/jointo-server-app","Config":{"Image":"app:1","Labels":{}}}')
    path = tmp_path / ("0" * 64 + "-json.log")
    path.write_text('{"log":"x\\n"}\n')
    (batch,) = [b for b in open_paths([tmp_path], {}.get) if b.lines.height]
    assert batch.resource.service_name == batch.resource.container_name == "jointo-server-app"
    assert batch.resource.container_id == "0" * 64


def test_compose_names_give_way_to_the_service_and_chosen_names_stay() -> None:
    labels = {"com.docker.compose.project": "jointo", "com.docker.compose.service": "app"}
    assert service_of("jointo-app-1", labels) == "app"
    assert service_of("jointo_app_2", labels) == "app"
    assert service_of("0123456789ab_jointo-app-1", labels) == "app"
    assert service_of("jointo-server-app", labels) == "jointo-server-app"


def test_one_json_object_with_a_log_key_is_a_log() -> None:
    assert not is_document("a.json", b'{"message":"x"}\n')
    assert is_document("a.json", b'{"services":{}}')
    assert not is_document("a-json.log", b'{"services":{}}')
    assert is_document("a.json", b"[1,\n2]")


def pipe_batches(lake: Lake, writer: Callable[[int], None]) -> list[Batch]:
    reading, writing = os.pipe()

    def run() -> None:
        writer(writing)
        os.close(writing)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        return list(standard_input(Places(lake.get), "s", None, 1 << 20, reading))
    finally:
        thread.join()
        os.close(reading)


def lines_of(batches: list[Batch]) -> list[str]:
    return pl.concat([b.lines for b in batches])["text"].to_list() if batches else []


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress])
def test_a_pipe_is_read_once_also_when_packed(pack: Callable[[bytes], bytes]) -> None:
    lake: Lake = {}
    batches = pipe_batches(lake, lambda fd: os.fdopen(fd, "wb", closefd=False).write(pack(TEXT)) and None)
    assert lines_of(batches) == WANTED
    assert batches[-1].final
    for batch in batches:
        lake.update(batch.cursors_after(batch.lines.height))
    assert lines_of(pipe_batches(lake, lambda fd: os.fdopen(fd, "wb", closefd=False).write(pack(TEXT)) and None)) == []
    more = TEXT + b"more\n"
    assert lines_of(pipe_batches(lake, lambda fd: os.fdopen(fd, "wb", closefd=False).write(more) and None)) == ["more"]


def test_a_live_pipe_is_handed_out_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.collect.stdin.DELAY_S", 0.2)
    monkeypatch.setattr("triage.collect.stdin.QUIET_S", 0.3)
    reading, writing = os.pipe()
    os.write(writing, b"first\nhal")
    batches = standard_input(Places({}.get), "s", None, 1 << 20, reading)
    one = next(batches)
    assert one.lines["text"].to_list() == ["first"]
    os.write(writing, b"f\n")
    two = next(b for b in batches if b.lines.height)
    assert two.lines["text"].to_list() == ["half"]
    os.close(writing)
    assert sum(b.lines.height for b in batches) == 0
    os.close(reading)


def test_binary_data_is_told_from_text() -> None:
    assert content.binary_kind(b"\0" * 3000 + b"text after a truncation\n") is None
    assert content.binary_kind("中文\x1b[31m\r\n".encode()) is None
    assert content.binary_kind(bytes(range(256)) * 4) == "binary data"


def test_a_batch_refuses_impossible_counts(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("a\n")
    (batch,) = open_paths([tmp_path / "a.log"], {}.get)
    with pytest.raises(ValueError, match="2 of 1"):
        batch.cursors_after(2)
