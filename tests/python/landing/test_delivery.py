"""Delivery: what is taken, what is left alone, what is refused, and what a second landing does."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.errors import UserError
from orchestration.landing import discover, land, run
from orchestration.landing.keys import load_key

from .conftest import KEY, Shop, csv_text
from .faults import R1, R2, R3, csv


def _statuses(shop: Shop) -> dict[str, str]:
    return {row["file_name"]: row["status"] for row in shop.ledger()}


def _content(shop: Shop) -> dict[str, str]:
    """Hash of every file that a landing makes, but the ledger, which keeps the time.

    The vault's tokens are a set, so their order does not count.
    """
    content = {}
    for folder in ("landed", "quarantine", "vault"):
        for path in sorted((shop.data / folder).rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                if "tokens" in path.parts:
                    rows = pq.read_table(path).to_pylist()
                    data = repr(sorted(map(repr, rows))).encode()
                name = str(path.relative_to(shop.data))
                content[name] = hashlib.sha256(data).hexdigest()
    return content


def test_known_files_are_not_read_again(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.drop("a.csv", csv(R1))
    shop.land()
    before, ledger = _content(shop), shop.ledger()
    monkeypatch.setattr(run, "look_at", None)
    result = shop.land()
    assert (result.landed, result.known) == (0, 1)
    assert (_content(shop), shop.ledger()) == (before, ledger)


def test_files_read_at_once_are_noted_in_their_order(make_shop, monkeypatch: pytest.MonkeyPatch):
    told = []
    for files_at_once in (1, 4):
        monkeypatch.setattr(run, "FILES_AT_ONCE", files_at_once)
        shop = make_shop(f"at_once_{files_at_once}")
        for number, count in enumerate((400, 1, 60, 1, 200, 1, 30, 1)):
            rows = [[f"A{number}-{i}", *R1[1:]] for i in range(count)]
            shop.drop(f"{number}.csv", csv(*rows))
        shop.drop("8-the-bytes-of-0.csv", (shop.data / "landing/shop/orders/0.csv").read_bytes())
        shop.drop("9.pdf", b"%PDF-")
        result = shop.land()
        ledger = [
            {k: v for k, v in row.items() if k not in ("landed_at", "mtime_ns")}
            for row in shop.ledger()
        ]
        told.append((shop.lines.copy(), result, ledger, _content(shop)))
    assert told[0] == told[1]
    assert told[0][1].skipped == 1
    assert [line.split()[1] for line in told[0][0] if line.startswith("landed shop")] == [
        f"shop/orders/{number}.csv:" for number in range(8)
    ]


def test_a_touched_file_with_the_same_bytes_is_known(shop: Shop):
    path = shop.drop("a.csv", csv(R1))
    shop.land()
    os.utime(path, (1, 1))
    result = shop.land()
    assert (result.landed, result.known) == (0, 1)
    assert [(r["status"], r["mtime_ns"]) for r in shop.ledger()] == [("landed", 10**9)]


def test_the_same_bytes_under_another_name_are_skipped(shop: Shop):
    shop.drop("a.csv", csv(R1))
    shop.drop("b.csv", csv(R1))
    result = shop.land()
    assert (result.landed, result.skipped) == (1, 1)
    assert _statuses(shop) == {"a.csv": "landed", "b.csv": "skipped"}
    assert len(shop.rows()) == 1
    again = shop.land()
    assert (again.landed, again.skipped, again.known) == (0, 0, 2)


def test_the_same_bytes_in_another_table_land_there_too(shop: Shop):
    content = "order_no,paid,id\n1,2,3\n"
    shop.drop("a.csv", content)
    shop.drop("a.csv", content, "shop/plain")
    assert shop.land().landed == 2


def test_a_changed_file_lands_beside_the_old_one(shop: Shop):
    path = shop.drop("a.csv", csv(R1))
    shop.land()
    path.write_bytes(csv(R1, R2))
    shop.land()
    assert len(shop.rows()) == 3
    assert [r["status"] for r in shop.ledger()] == ["landed", "landed"]


def test_names_that_are_left_alone(shop: Shop):
    for name in (".hidden.csv", "a.csv.part", "a.csv.tmp", "A.CSV.PART"):
        shop.drop(name, csv(R1))
    shop.drop("ok.csv", csv(R1))
    (shop.data / "landing" / ".git").mkdir()
    shop.land()
    assert _statuses(shop) == {"ok.csv": "landed"}


def test_other_entries_are_refused(shop: Shop, tmp_path: Path):
    outside = tmp_path / "outside.csv"
    outside.write_bytes(csv(R1))
    folder = shop.drop("ok.csv", csv(R2)).parent
    (folder / "link.csv").symlink_to(outside)
    (folder / "dangling.csv").symlink_to(tmp_path / "nowhere")
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    shop.drop("a.xlsx", b"x")
    shop.drop("a.json", b"{}")
    shop.drop("x.csv", csv(R1), "shop/unknown_table")
    shop.drop("x.csv", csv(R1), "unknown_channel/t")
    shop.drop("stray.csv", csv(R1), ".")
    shop.drop("stray.csv", csv(R1), "shop")
    (shop.data / "landing" / "linked").symlink_to(tmp_path, target_is_directory=True)
    (shop.data / "landing" / "shop" / "plain").symlink_to(folder, target_is_directory=True)
    result = shop.land()
    assert result.landed == 1
    reasons = {(r.channel, r.table, r.file_name): r.reason for r in result.refused}
    link = "it is a link, and links are not followed"
    assert reasons == {
        ("shop", "orders", "link.csv"): link,
        ("shop", "orders", "dangling.csv"): link,
        ("shop", "orders", "folder.csv"): "it is a directory where a file belongs",
        ("shop", "orders", "pipe.csv"): "it is no regular file",
        ("shop", "orders", "a.xlsx"): "its suffix is unknown",
        ("shop", "orders", "a.json"): "its suffix is unknown",
        ("shop", "unknown_table", ""): "the table is not declared",
        ("unknown_channel", "", ""): "the channel is not declared",
        ("", "", "stray.csv"): "a file does not belong here",
        ("shop", "", "stray.csv"): "a file does not belong here",
        ("", "", "linked"): link,
        ("shop", "", "plain"): link,
    }
    for refused in result.refused:
        assert refused.message in shop.lines and "\n" not in refused.message
    rows = {(r["channel"], r["table_name"], r["file_name"]): r for r in shop.ledger()}
    assert all(rows[place]["status"] == "refused" for place in reasons)
    assert all(rows[place]["remedy"] for place in reasons)


def test_a_refusal_ends_with_its_cause(shop: Shop):
    path = shop.drop("a.csv", b"")
    shop.drop("b.txt", b"")
    shop.land()
    first = shop.ledger()
    shop.land()
    assert shop.ledger() == first, "a refusal that stands is not written again"
    path.write_bytes(csv(R1))
    (path.parent / "b.txt").unlink()
    assert not shop.land().refused
    assert _statuses(shop) == {"a.csv": "landed"}


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser can read every file")
def test_an_unreadable_file_is_refused(shop: Shop):
    shop.drop("a.csv", csv(R1)).chmod(0)
    (refused,) = shop.land().refused
    assert "cannot be read" in refused.reason


def test_a_growing_file_waits(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    path = shop.drop("a.csv", csv(R1))
    shop.drop("b.csv", csv(R2))

    def grow(seconds: float) -> None:
        with path.open("ab") as handle:
            handle.write(b"R9,,,,,1\n")

    monkeypatch.setattr(time, "sleep", grow)
    result = shop.land(settle_seconds=5)
    assert (result.waiting, result.landed) == (2, 0) or (result.waiting, result.landed) == (1, 1)
    assert "a.csv" not in _statuses(shop)
    assert any("a.csv" in line and "still being written" in line for line in shop.lines)
    monkeypatch.undo()
    shop.land()
    assert _statuses(shop)["a.csv"] == "landed"
    assert not list(shop.data.rglob("*.tmp"))


def test_a_growing_file_is_not_refused_either(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    path = shop.drop("a.csv", b"")
    monkeypatch.setattr(time, "sleep", lambda _: path.write_bytes(csv(R1)))
    result = shop.land(settle_seconds=5)
    assert (result.waiting, result.refused, _statuses(shop)) == (1, [], {})


def test_a_young_file_is_looked_at_twice_that_far_apart(shop: Shop):
    shop.drop("young.csv", csv(R1))
    started = time.monotonic()
    assert shop.land(settle_seconds=0.3).landed == 1
    assert time.monotonic() - started >= 0.3
    os.utime(shop.drop("old.csv", csv(R2)), (1, 1))
    started = time.monotonic()
    shop.land(settle_seconds=60)
    assert time.monotonic() - started < 30


def test_a_vanished_file_is_no_error(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    path = shop.drop("a.csv", csv(R1))
    shop.drop("b.csv", csv(R2))
    look_at = discover.look_at

    def look_and_lose(file: Path, now: float):
        look = look_at(file, now)
        if file.name == "a.csv":
            path.unlink(missing_ok=True)
        return look

    monkeypatch.setattr(run, "look_at", look_and_lose)
    assert shop.land().landed == 1
    assert _statuses(shop) == {"b.csv": "landed"}


def test_only_chosen_channels_are_looked_at(shop: Shop):
    shop.drop("a.csv", csv(R1))
    shop.drop("e.csv", "source_system,source_record_id\na,1\n", "direct/event")
    shop.drop("x.csv", csv(R1), "unknown_channel/t")
    result = shop.land(["direct"])
    assert (result.landed, result.refused) == (1, [])
    assert _statuses(shop) == {"e.csv": "landed"}
    assert shop.land(["shop"]).landed == 1
    assert len(shop.land().refused) == 1
    assert not shop.land(["shop"]).refused
    assert sorted(_statuses(shop).values()) == ["landed", "landed", "refused"]


def test_a_channel_that_is_not_enabled_is_refused(shop: Shop):
    shop.drop("a.csv", csv(R1))
    shop.drop("e.csv", "source_system,source_record_id\na,1\n", "direct/event")
    (refused,) = shop.land(enabled=["shop"]).refused
    assert (refused.channel, refused.reason) == ("direct", "the channel is not enabled")


def test_every_declared_table_has_an_empty_file(shop: Shop):
    shop.drop("a.csv", csv(R1))
    shop.land(["shop"])
    for table in ("shop/orders", "shop/links", "direct/event"):
        empty = pq.read_table(shop.data / "landed" / table / "_empty.parquet")
        assert empty.num_rows == 0
        assert empty.column_names[-4:] == ["ids", "_warnings", "_file_sha", "_line"]
        assert empty.column_names.count("ids") == 1
    (landed,) = (shop.data / "landed" / "shop" / "orders").glob("[0-9a-f]*.parquet")
    empty = pq.read_schema(landed.with_name("_empty.parquet"))
    assert pq.read_schema(landed).names == empty.names
    assert pq.read_schema(landed).types == empty.types
    none = shop.data / "quarantine" / "_none" / "_none" / "_empty.parquet"
    assert pq.read_table(none).num_rows == 0


def test_a_changed_contract_lands_its_files_again(shop: Shop):
    shop.drop("a.csv", "order_no,paid,note\nR1,1,Hello\n")
    shop.drop("p.csv", "id\n1\n", "shop/plain")
    shop.land()
    (first,) = [r for r in shop.ledger() if r["file_name"] == "a.csv"]
    sources = shop.sources("shop")
    text = sources.read_text(encoding="utf-8")
    sources.write_text(
        text.replace("- {name: ordered_at}", "- {name: ordered_at}\n          - {name: note}", 1),
        encoding="utf-8",
    )
    result = shop.land()
    assert (result.landed, result.known) == (1, 1)
    assert [r["note"] for r in shop.rows()] == ["Hello"]
    assert shop.leftovers() == []
    (second,) = [r for r in shop.ledger() if r["file_name"] == "a.csv"]
    assert second["landed_at"] == first["landed_at"], "a replay keeps the recorded landing time"
    assert second["unknown_columns"] is None


def test_a_changed_contract_without_the_raw_file_is_told(shop: Shop):
    content = "order_no,paid,note\nR1,1,Hello\n"
    path = shop.drop("a.csv", content)
    shop.land()
    path.unlink()
    sources = shop.sources("shop")
    text = sources.read_text(encoding="utf-8")
    declared = "- {name: ordered_at}\n          - {name: note}"
    sources.write_text(text.replace("- {name: ordered_at}", declared, 1), encoding="utf-8")
    assert shop.land().outdated == 1
    assert any("a.csv landed under an older declaration" in line for line in shop.lines)
    shop.drop("again.csv", content)
    result = shop.land()
    assert (result.landed, result.outdated) == (1, 0)
    assert [r["note"] for r in shop.rows()] == ["Hello"]


def test_a_lost_landed_file_lands_again(shop: Shop):
    shop.drop("a.csv", csv(R1))
    shop.land()
    (landed,) = (shop.data / "landed" / "shop" / "orders").glob("[0-9a-f]*.parquet")
    content = landed.read_bytes()
    landed.unlink()
    assert shop.land().landed == 1
    assert landed.read_bytes() == content


def test_a_data_root_may_have_any_name(make_shop):
    shop = make_shop("o'brien [x]*? {{y}} 中")
    shop.drop("a.csv", csv(R1) + b"short\n")
    shop.drop("b.csv", csv(R2))
    shop.drop("c.parquet", b"")
    pq.write_table(
        pa.table({"order_no": ["R7"], "paid": [1]}),
        shop.data / "landing" / "shop" / "orders" / "c.parquet",
    )
    assert (shop.land().landed, len(shop.rows())) == (3, 3)
    assert {r["file_name"]: r["reader"] for r in shop.ledger()} == {
        "a.csv": "slow",
        "b.csv": "fast",
        "c.parquet": "fast",
    }


def test_nothing_to_land_is_one_sentence(shop: Shop):
    with pytest.raises(UserError, match=r"There are no raw files under .*perennial demo"):
        shop.land()


def test_what_was_landed_stays_when_the_raw_files_are_gone(shop: Shop):
    path = shop.drop("a.csv", csv(R1))
    shop.land()
    path.unlink()
    assert shop.land().landed == 0
    assert len(shop.rows()) == 1


def test_an_unknown_channel_is_one_sentence(shop: Shop):
    shop.drop("a.csv", csv(R1))
    with pytest.raises(UserError, match="Unknown channel 'till'; declared are direct, shop"):
        shop.land(["till"])


def test_another_key_is_refused(shop: Shop):
    shop.drop("a.csv", csv(R1))
    shop.land()
    with pytest.raises(UserError, match="was landed with another key"):
        land(shop.data, shop.project, None, b"z" * 32, "run", print)


def test_two_landings_exclude_each_other(shop: Shop):
    shop.drop("a.csv", csv(R1))
    with run._only_one(shop.data), pytest.raises(UserError, match=rf"process {os.getpid()}"):
        shop.land()
    assert shop.land().landed == 1


def test_the_key_comes_from_the_environment_or_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("PERENNIAL_KEY", raising=False)
    with pytest.raises(UserError, match="PERENNIAL_KEY is not set"):
        load_key(tmp_path)
    demo, lines = tmp_path / "vault" / "demo.key", []
    demo.parent.mkdir()
    demo.write_text("d" * 64 + "\n", encoding="utf-8")
    assert load_key(tmp_path, lines.append) == b"d" * 64
    assert lines == [f"using the demo key {demo}"]
    demo.write_text("short", encoding="utf-8")
    with pytest.raises(UserError, match=r"The demo key .* is damaged"):
        load_key(tmp_path)
    monkeypatch.setenv("PERENNIAL_KEY", "short")
    with pytest.raises(UserError, match="has 5 bytes, at least 32 are needed"):
        load_key(tmp_path)
    monkeypatch.setenv("PERENNIAL_KEY", "x" * 32)
    assert load_key(tmp_path) == b"x" * 32


def test_a_full_disk_is_one_sentence(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.drop("a.csv", csv(R1))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run, "read_file", full)
    with pytest.raises(UserError, match=r"disk .* is full"):
        shop.land()


def test_a_defect_on_one_file_does_not_stop_the_others(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.drop("a.csv", csv(R1))
    shop.drop("b.csv", csv(R2))
    read_file = run.read_file

    def fail_on_one(job):
        if b"R1" in job.path.read_bytes():
            raise ValueError("secret value")
        return read_file(job)

    monkeypatch.setattr(run, "read_file", fail_on_one)
    (refused,) = shop.land().refused
    assert refused.reason == "landing failed on it (ValueError)"
    assert _statuses(shop) == {"a.csv": "refused", "b.csv": "landed"}


def test_kill_at_any_instant_and_run_again(make_shop):
    """SIGKILL a landing at several instants; the next one reaches the state of a clean landing."""

    def fill(shop: Shop) -> None:
        for i in range(4):
            rows = [[f"R{i}-{j}", f"139{j:08}", f"p{j}@mail.com", "1"] for j in range(3000)]
            text = csv_text([["order_no", "buyer_phone", "buyer_email", "paid"], *rows])
            shop.drop(f"{i}.csv", text + f"R{i},short\n")
        shop.drop("x.csv", csv(R3, R1).replace(b"R3", b"\xff"))
        shop.drop("empty.csv", b"")

    clean = make_shop("clean")
    fill(clean)
    started = time.monotonic()
    clean.land()
    whole = time.monotonic() - started

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["orchestration.landing"])
    killed = make_shop("killed")
    fill(killed)
    unfinished = 0
    for part in (0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9):
        # `len` stands for a progress that ignores its lines and can be sent to another process.
        child = context.Process(
            target=land,
            args=(killed.data, killed.project, None, KEY, "killed", len),
            kwargs={"settle_seconds": 0},
        )
        child.start()
        child.join(whole * part)
        unfinished += child.is_alive()
        child.kill()
        child.join()
    assert unfinished, "at least one landing was really killed"
    killed.land()
    assert killed.rows() == clean.rows()
    assert _content(killed) == _content(clean)
    state = [
        {k: v for k, v in r.items() if k not in ("landed_at", "run_id", "mtime_ns")}
        for r in clean.ledger()
    ]
    assert state == [
        {k: v for k, v in r.items() if k not in ("landed_at", "run_id", "mtime_ns")}
        for r in killed.ledger()
    ]
    assert not list(killed.data.rglob("*.tmp"))
