"""The demo as a whole: population, files, truth and key; landing/ appears whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from orchestration.demo import activity, population, store_feeds, truth
from orchestration.demo.direct_feeds import direct_feeds
from orchestration.demo.population import start_of
from orchestration.demo.prng import Draws
from orchestration.demo.refused import write_refused_files
from orchestration.demo.shop_feeds import segment_feeds, shopify_feeds
from orchestration.demo.writer import Writer
from orchestration.errors import UserError
from orchestration.runtime.durable import make_private_dir, replacing

FEWEST, MOST = 100, 1_000_000
EARLIEST_END = date(2002, 1, 1)
MEMORY_LIMIT = "4GB"


@dataclass(frozen=True)
class DemoSummary:
    """What a run of the demo wrote; counts are of the raw files."""

    customers: int
    seed: int
    first_day: date
    last_day: date
    files: int
    bytes: int
    records: int
    broken_records: int
    orders: int
    valid_orders: int


def generate(
    data_root: Path,
    customers: int = 5000,
    seed: int = 42,
    end: date = date(2026, 6, 30),
    faults: bool = False,
    progress: Callable[[str], None] = lambda message: None,
) -> DemoSummary:
    """Write raw files of every channel below data_root/landing, the truth below data_root/truth.

    `customers` planted persons (100 .. 1,000,000) over the two years that end on the local day
    `end`; the same arguments give the same bytes. `faults` adds files that landing must refuse.
    Also writes vault/demo.key, derived from the seed, so that a whole demo run can be repeated.

    Raises UserError for arguments out of range and when landing/ holds anything.
    """
    _check(data_root, customers, end)
    data_root.mkdir(parents=True, exist_ok=True)
    building = data_root / ".demo"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    try:
        summary = _build(building, customers, seed, end, faults, progress)
        _write_key(data_root, seed)
        for name in ("truth", "landing"):
            target = data_root / name
            shutil.rmtree(target, ignore_errors=True)
            (building / name).replace(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return summary


def demo_key(seed: int) -> bytes:
    """The key of a demo data root: 64 hexadecimal digits that follow from the seed."""
    return hashlib.sha256(f"perennial demo key{seed}".encode()).hexdigest().encode()


def _check(data_root: Path, customers: int, end: date) -> None:
    if not FEWEST <= customers <= MOST:
        raise UserError(
            f"--customers must lie between {FEWEST} and {MOST:,}, "
            f"not {customers:,}; choose a number "
            "in that range."
        )
    today = datetime.now(UTC).date()
    if not EARLIEST_END <= end <= today:
        raise UserError(
            f"--end must lie between {EARLIEST_END} and today ({today}), not {end}, "
            f"because landing "
            "sends records outside to quarantine; choose a day in that range."
        )
    landing = data_root / "landing"
    if landing.exists() and (not landing.is_dir() or any(landing.iterdir())):
        raise UserError(
            f"{landing} already holds files, and demo data must not mix with them; choose another "
            "PERENNIAL_DATA or empty that folder."
        )


def _build(
    building: Path,
    customers: int,
    seed: int,
    end: date,
    faults: bool,
    progress: Callable[[str], None],
) -> DemoSummary:
    draws = Draws(seed)
    con = duckdb.connect()
    con.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
    con.execute(f"set temp_directory = '{str(building / 'spill').replace(chr(39), chr(39) * 2)}'")
    con.execute("set preserve_insertion_order = true")
    progress(f"planting {customers:,} persons over {start_of(end)} .. {end}")
    population.build(con, draws, customers, end)
    activity.build(con, draws, customers, end)
    con.execute(moments(end) + store_feeds.macros())
    writer = Writer(con, draws, building / "landing", end)
    feeds = [
        *shopify_feeds(),
        *segment_feeds(draws),
        *store_feeds.store_feeds(),
        *direct_feeds(draws),
    ]
    channel = ""
    for feed in feeds:
        if feed.channel != channel:
            channel = feed.channel
            progress(f"writing {channel}")
        writer.write(feed)
    written = writer.finish()
    if faults:
        written.files += write_refused_files(building / "landing")
    progress("writing the truth")
    counts = truth.write(con, draws, building / "truth", written, customers, seed, end)
    con.close()
    return DemoSummary(
        customers=customers,
        seed=seed,
        first_day=start_of(end),
        last_day=end,
        files=len(written.files),
        bytes=sum(file.size_bytes for file in written.files),
        records=sum(file.raw for file in written.files),
        broken_records=len(written.broken),
        orders=counts["orders"],
        valid_orders=counts["valid_orders"],
    )


def moments(end: date) -> str:
    """Macros that write a moment (local seconds since the demo's first midnight) as text."""
    first = start_of(end)
    local = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp())
    utc = local - 8 * 3600
    return f"""
        create or replace temp macro demo_epoch(s) as {utc} + cast(s as bigint);
        create or replace temp macro demo_utc(s) as cast(make_timestamp(({utc} + cast(s
            as bigint)) * 1000000) as varchar);
        create or replace temp macro demo_local(s) as cast(make_timestamp(({local} + cast(s
            as bigint)) * 1000000) as varchar);
        create or replace temp macro demo_slashes(s) as replace(demo_local(s), '-', '/');
        create or replace temp macro demo_offset(s) as replace(demo_local(s), ' ', 'T') || '+08:00';
        create or replace temp macro demo_day(d) as cast(date '{first}' + cast(d as integer)
            as varchar);
    """


def _write_key(data_root: Path, seed: int) -> None:
    make_private_dir(data_root / "vault")
    with replacing(data_root / "vault" / "demo.key", private=True) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_bytes(demo_key(seed))
