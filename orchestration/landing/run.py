"""One landing: look at what lies there, land what is new, write down what became of each file."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.errors import UserError
from orchestration.landing import ledger as ledgers
from orchestration.landing.contract import (
    Sources,
    Table,
    check_channel,
    contract_id,
    enabled_channels,
    load_sources,
)
from orchestration.landing.discover import Found, Look, discover, look_at, stat_file
from orchestration.landing.id_rules import IdRules, load_id_rules
from orchestration.landing.keys import check_key_id
from orchestration.landing.ledger import Ledger, LedgerRow
from orchestration.landing.quarantine import Quarantine, write_none
from orchestration.landing.read import Job, Read, raise_if_full, read_file
from orchestration.landing.refusal import Refused, RefusedFile, one_line
from orchestration.landing.rules import read_rules, write_rules
from orchestration.landing.tokens import Tokeniser
from orchestration.landing.transform import Transform
from orchestration.runtime.durable import PRIVATE_DIR, make_private_dir, remove_leftovers, replacing

# A file that changed less than this ago is looked at twice, this far apart, before it is taken.
SETTLE_SECONDS = 1.0
# Reading is partly Python and partly DuckDB: with two files at work neither waits for the other.
FILES_AT_ONCE = 2
_NAMES_SHOWN = 50


@dataclass
class LandingResult:
    """What one landing did. Counts are of files, `*_count` of records in the files newly landed."""

    landed: int = 0
    skipped: int = 0
    known: int = 0
    waiting: int = 0
    outdated: int = 0
    refused: list[RefusedFile] = field(default_factory=list)
    raw_count: int = 0
    landed_count: int = 0
    quarantined_count: int = 0
    warning_count: int = 0

    @property
    def summary(self) -> str:
        """One line for people."""
        waiting = f", {self.waiting} still being written" if self.waiting else ""
        return (
            f"{self.landed} files landed ({self.raw_count:,} records = {self.landed_count:,} "
            f"landed + {self.quarantined_count:,} quarantined), {self.known} known before, "
            f"{self.skipped} with the bytes of another file, {len(self.refused)} refused{waiting}"
        )


def land(
    data_root: Path,
    project_dir: Path,
    channels: Sequence[str] | None,
    key: bytes,
    run_id: str,
    progress: Callable[[str], None],
    *,
    enabled: Sequence[str] | None = None,
    fold_gmail: bool | None = None,
    settle_seconds: float = SETTLE_SECONDS,
    memory_limit: str = "2GB",
    threads: int | None = None,
    is_fast_allowed: bool = True,
) -> LandingResult:
    """Land the new files under `data_root`/landing and return what became of them.

    `channels` limits the folders that are looked at (None: every one, and entries of channels that
    are not enabled are refused); `enabled` are the channels of the var `channels` and `fold_gmail`
    is the var of that name (None: as in dbt_project.yml). `progress` gets one line a file.
    `is_fast_allowed=False` reads every file record by record. Raises UserError for wrong use:
    unknown channel, no raw files, another key, another landing at work, a full disk, and, before
    anything is changed, a wrong row in a seed.
    """
    sources = load_sources(project_dir)
    active = set(enabled if enabled is not None else enabled_channels(project_dir))
    for channel in (*active, *(channels or ())):
        check_channel(channel, sources.channels)
    rules, tokeniser = load_id_rules(project_dir, fold_gmail), Tokeniser(key)
    _check_identifier_types(sources, rules)
    landed_rules = read_rules(project_dir, rules, tokeniser)
    with _only_one(data_root):
        ledger = Ledger(data_root)
        landing = data_root / "landing"
        if not ledger.rows and not (landing.is_dir() and any(landing.iterdir())):
            raise UserError(
                f"There are no raw files under {landing}: put files into "
                f"{landing}/<channel>/<table>/, or run `perennial demo`."
            )
        make_private_dir(data_root / "vault").chmod(PRIVATE_DIR)
        check_key_id(data_root, key)
        for folder in ("landed", "quarantine", "ledger", "vault"):
            remove_leftovers(data_root / folder)
        write_empty_files(data_root, sources)
        write_rules(data_root, landed_rules)
        tables = {
            (channel, table.name): table
            for channel, declared in sources.channels.items()
            for table in declared.values()
        }
        work = _Landing(data_root, rules, tokeniser, run_id, progress, ledger, tables)
        work.settle_seconds, work.is_fast_allowed = settle_seconds, is_fast_allowed
        limited = set(channels) if channels is not None else None
        found, refused = [], []
        if landing.is_dir():
            active |= limited or set()
            found, refused = discover(landing, sources.channels, active, limited)
        with work.connected(memory_limit, threads):
            work.run(found, refused, limited)
        ledger.close()
    progress(work.result.summary)
    return work.result


def write_empty_files(data_root: Path, sources: Sources) -> None:
    """Keep one zero-row Parquet for each declared table, so that every glob matches in dbt."""
    write_none(data_root)
    for channel, tables in sources.channels.items():
        for table in tables.values():
            schema = pa.schema(
                [
                    (name, pa.int64() if name == "_line" else pa.string())
                    for name in table.output_columns
                ]
            )
            _write_empty(data_root / "landed" / channel / table.name, schema)


def _write_empty(folder: Path, schema: pa.Schema) -> None:
    target = folder / "_empty.parquet"
    if target.is_file() and pq.read_schema(target).equals(schema):
        return
    with replacing(target) as temporary:
        pq.write_table(schema.empty_table(), temporary)


def _check_identifier_types(sources: Sources, rules: IdRules) -> None:
    for tables in sources.channels.values():
        for table in tables.values():
            for column in table.columns:
                id_type = column.identifier.type if column.identifier else None
                if id_type and id_type not in rules.normalisers:
                    raise UserError(
                        f"{table.declared_in}: {table.name}.{column.name} has the identifier type "
                        f"'{id_type}', which seeds/id_type_rule.csv does not list."
                    )


@contextmanager
def _only_one(data_root: Path) -> Iterator[None]:
    """Let one landing at a time work on a data root; UserError names the other's process."""
    folder = data_root / "ledger"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise UserError(
                f"Another landing (process {lock.read().strip() or 'unknown'}) is at work on "
                f"{data_root}; wait until it has ended."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@dataclass
class _Landing:
    """The state of one landing."""

    data_root: Path
    rules: IdRules
    tokeniser: Tokeniser
    run_id: str
    progress: Callable[[str], None]
    ledger: Ledger
    tables: Mapping[tuple[str, str], Table]
    result: LandingResult = field(default_factory=LandingResult)
    settle_seconds: float = SETTLE_SECONDS
    is_fast_allowed: bool = True
    con: duckdb.DuckDBPyConnection = field(init=False)

    @contextmanager
    def connected(self, memory_limit: str, threads: int | None) -> Iterator[None]:
        """Open DuckDB with its scratch files inside the vault, since they hold raw values."""
        scratch = self.data_root / "vault" / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        make_private_dir(scratch)
        config = {
            "memory_limit": memory_limit,
            "temp_directory": str(scratch / "spill"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "preserve_insertion_order": "true",
        }
        if threads:
            config["threads"] = str(threads)
        try:
            with duckdb.connect(config=config) as self.con:
                self.con.execute("set enable_progress_bar = false")
                yield
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def run(self, found: list[Found], refused: list[RefusedFile], limited: set[str] | None) -> None:
        """Land, skip or refuse every entry."""
        places = [_place(file) for file in found]
        places += [(r.channel, r.table, r.file_name) for r in refused]
        everywhere = {row.channel for row in self.ledger.rows}
        self.ledger.forget_refused(places, everywhere if limited is None else limited)
        for refusal in refused:
            place = (refusal.channel, refusal.table, refusal.file_name)
            self._refuse(refusal, LedgerRow(*place, *self._as(ledgers.REFUSED)))
        self._take_all([(file, look) for file in found if (look := self._first_look(file))])
        self._note_outdated(found, limited)

    def _take_all(self, looks: list[tuple[Found, Look]]) -> None:
        """Read some files at once, but take note of them in their order: what the ledger, the
        result and the progress say does not depend on which file was read sooner."""
        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            landings: dict[tuple[str, str, str], Future[_Landed]] = {}
            for file, look in looks:
                content = (file.table.channel, file.table.name, look.sha)
                if content not in landings and self._landed_before(file, look) is None:
                    landings[content] = pool.submit(self._read_and_write, file, look)
            try:
                for file, look in looks:
                    content = (file.table.channel, file.table.name, look.sha)
                    self._take(file, look, landings.pop(content, None))
            finally:
                pool.shutdown(cancel_futures=True)

    def _landed_before(self, file: Found, look: Look) -> LedgerRow | None:
        """What the ledger says of a file with these bytes whose rows are there."""
        first = self.ledger.landed_with(file.table.channel, file.table.name, look.sha)
        return first if first and self._is_settled(first, file.table) else None

    def _note_outdated(self, found: list[Found], limited: set[str] | None) -> None:
        """Tell of rows that landed under an older declaration and lack their raw file."""
        there = {_place(file) for file in found}
        for row in self.ledger.rows:
            table = self.tables.get((row.channel, row.table_name))
            if row.status != ledgers.LANDED or row.place in there or table is None:
                continue
            is_chosen = limited is None or row.channel in limited
            if is_chosen and row.contract_id != contract_id(table, self.rules):
                self.result.outdated += 1
                self.progress(
                    one_line(
                        f"{'/'.join(row.place)} landed under an older declaration and its raw file "
                        "has gone; deliver it again to fill what is declared now"
                    )
                )

    def _as(self, status: str) -> tuple[str, datetime, str]:
        return status, datetime.now(UTC).replace(tzinfo=None, microsecond=0), self.run_id

    # ---- looking --------------------------------------------------------------------------

    def _first_look(self, file: Found) -> Look | None:
        """Look at a file unless the ledger already knows it; None when there is nothing to do."""
        try:
            size, mtime_ns = stat_file(file.path)
            for row in self.ledger.at(_place(file)):
                if (row.size_bytes, row.mtime_ns) == (size, mtime_ns) and self._is_settled(
                    row, file.table
                ):
                    self.result.known += 1
                    return None
            return look_at(file.path, time.time())
        except FileNotFoundError:
            return None
        except Refused as refusal:
            self._refuse_file(file, None, refusal)
            return None

    def _is_settled(self, row: LedgerRow, table: Table) -> bool:
        """True when what the ledger says of a file still holds and its rows are there."""
        if row.status == ledgers.REFUSED or row.file_sha is None:
            return False
        landed = self.ledger.landed_with(row.channel, row.table_name, row.file_sha)
        return (
            landed is not None
            and landed.contract_id == contract_id(table, self.rules)
            and self._landed_path(table, row.file_sha).is_file()
        )

    def _landed_path(self, table: Table, sha: str) -> Path:
        return self.data_root / "landed" / table.channel / table.name / f"{sha}.parquet"

    def _stands_still(self, file: Found, look: Look) -> bool:
        """Look a second time, long enough after the first or after the last change."""
        age = look.at - look.mtime_ns / 1e9
        if not age >= self.settle_seconds:
            time.sleep(max(0.0, self.settle_seconds - (time.time() - look.at)))
        try:
            again = look_at(file.path, look.at)
        except (FileNotFoundError, Refused):
            return False
        return again == look and look.size >= 0

    # ---- one file -------------------------------------------------------------------------

    def _take(self, file: Found, look: Look, landing: Future[_Landed] | None) -> None:
        try:
            first = self._landed_before(file, look)
            if first:
                self._skip(file, look, first)
            else:
                landed = landing.result() if landing else self._read_and_write(file, look)
                self._note_landed(file, look, landed)
        except FileNotFoundError:
            self._wait(file, "has gone while it was read")
        except _NotStill:
            self._wait(file, "is still being written")
        except Refused as refusal:
            if self._stands_still(file, look):
                self._refuse_file(file, look, refusal)
            else:
                self._wait(file, "is still being written")
        except (duckdb.Error, pa.ArrowException, OSError, ValueError) as error:
            raise_if_full(error, self.data_root)
            # The text of the error could hold a value of the data, so only its kind is told.
            reason = f"landing failed on it ({type(error).__name__})"
            self._refuse_file(file, look, Refused(reason, "please report it as a defect"))

    def _read_and_write(self, file: Found, look: Look) -> _Landed:
        """Write everything of one file; the ledger and the result are left alone."""
        scratch = make_private_dir(self.data_root / "vault" / "scratch" / uuid4().hex)
        safe = scratch / "input"
        safe.symlink_to(file.path.resolve())
        try:
            with (
                self.con.cursor() as con,
                Quarantine(self.data_root, file.table, look.sha, self.tokeniser) as quarantine,
            ):
                job = Job(
                    con, file.table, safe, file.format, scratch, quarantine, self.is_fast_allowed
                )
                read = read_file(job)
                return self._write(file, look, job, read), read
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _note_landed(self, file: Found, look: Look, landed: _Landed) -> None:
        row, read = landed
        first = self.ledger.landed_with(file.table.channel, file.table.name, look.sha)
        if first:
            # The recorded landing time decides what is plausible, so landing again keeps it.
            row = replace(row, landed_at=first.landed_at)
            if first.place != row.place:
                row = replace(row, file_name=first.file_name, mtime_ns=first.mtime_ns)
        self.ledger.replace(row)
        self._count(row, read)

    def _write(self, file: Found, look: Look, job: Job, read: Read) -> LedgerRow:
        """Write everything of one file, the landed rows last, unless it did not stand still."""
        table, sha, quarantine = file.table, look.sha, job.quarantine
        transform = Transform(job.con, table, read, self.rules, self.tokeniser, sha)
        transform.prepare()
        place = Path(table.channel) / table.name / f"{sha}.parquet"
        vault = self.data_root / "vault"
        with replacing(self._landed_path(table, sha)) as rows:
            transform.write_rows(rows)
            landed_count = pq.read_metadata(rows).num_rows
            if landed_count + quarantine.count != read.raw_count:
                raise Refused(
                    f"{read.raw_count} records were counted but {landed_count} landed and "
                    f"{quarantine.count} were quarantined",
                    "please report it as a defect",
                )
            if not self._stands_still(file, look):
                raise _NotStill
            _write_or_remove(vault / "tokens" / place, transform.write_tokens)
            _write_or_remove(vault / "unknown_columns" / place, transform.write_leftovers)
            quarantine.finish()
            warning_count = 0
            if transform.may_warn:
                notes = pq.read_table(rows, columns=["_warnings"]).column(0).drop_null()
                warning_count = sum(len(json.loads(note)) for note in notes.to_pylist())
        status, landed_at, run_id = self._as(ledgers.LANDED)
        return LedgerRow(
            *_place(file),
            status,
            landed_at,
            run_id,
            file_sha=sha,
            size_bytes=look.size,
            mtime_ns=look.mtime_ns,
            format=file.format,
            encoding=read.encoding,
            reader=read.reader,
            raw_count=read.raw_count,
            landed_count=landed_count,
            quarantined_count=quarantine.count,
            warning_count=warning_count,
            unknown_columns=_shown_names(read.unknown_names),
            contract_id=contract_id(table, self.rules),
        )

    def _count(self, row: LedgerRow, read: Read) -> None:
        result = self.result
        result.landed += 1
        result.raw_count += row.raw_count or 0
        result.landed_count += row.landed_count or 0
        result.quarantined_count += row.quarantined_count or 0
        result.warning_count += row.warning_count or 0
        parts = [f"landed {'/'.join(row.place)}: {row.landed_count or 0:,} records"]
        if row.quarantined_count:
            parts.append(f"{row.quarantined_count:,} quarantined")
        if row.warning_count:
            parts.append(f"{row.warning_count:,} warnings")
        if read.unknown_names:
            parts.append(f"undeclared columns kept in the vault: {row.unknown_columns}")
        self.progress(one_line(", ".join(parts) + f" ({read.reader})"))

    def _skip(self, file: Found, look: Look, first: LedgerRow) -> None:
        """Note a file whose content has landed before: under another name, or it was touched."""
        if first.place == _place(file):
            self.result.known += 1
            self.ledger.replace(replace(first, mtime_ns=look.mtime_ns))
            return
        self.result.skipped += 1
        self.ledger.replace(
            LedgerRow(
                *_place(file),
                *self._as(ledgers.SKIPPED),
                file_sha=look.sha,
                size_bytes=look.size,
                mtime_ns=look.mtime_ns,
                format=file.format,
                reason=f"the same bytes as {first.file_name}",
            )
        )
        self.progress(
            one_line(f"skipped {'/'.join(_place(file))}: the same bytes as {first.file_name}")
        )

    def _wait(self, file: Found, why: str) -> None:
        self.result.waiting += 1
        place = "/".join(_place(file))
        self.progress(one_line(f"waiting for {place}: it {why}; the next landing takes it"))

    def _refuse_file(self, file: Found, look: Look | None, refusal: Refused) -> None:
        refused = RefusedFile(*_place(file), refusal.reason, refusal.remedy, refusal.line)
        row = LedgerRow(*_place(file), *self._as(ledgers.REFUSED), format=file.format)
        if look:
            row = replace(row, file_sha=look.sha, size_bytes=look.size, mtime_ns=look.mtime_ns)
        self._refuse(refused, row)

    def _refuse(self, refused: RefusedFile, row: LedgerRow) -> None:
        """Report a refusal; write it down unless the ledger already says just this."""
        self.result.refused.append(refused)
        self.progress(refused.message)
        row = replace(row, reason=refused.reason, remedy=refused.remedy, line=refused.line)
        for old in self.ledger.at(row.place):
            if replace(old, landed_at=row.landed_at, run_id=row.run_id) == row:
                return
        self.ledger.replace(row)


_Landed = tuple[LedgerRow, Read]


class _NotStill(Exception):
    """The file changed between the two looks."""


def _place(file: Found) -> tuple[str, str, str]:
    return file.table.channel, file.table.name, file.file_name


def _write_or_remove(target: Path, write: Callable[[Path], bool]) -> None:
    """Put a vault file into place, or remove that of an earlier landing when there is nothing."""
    scratch = target.with_name(f".{target.name}.{os.getpid()}.new.tmp")
    make_private_dir(target.parent)
    try:
        if write(scratch):
            with replacing(target, private=True) as temporary:
                scratch.rename(temporary)
        else:
            target.unlink(missing_ok=True)
    finally:
        scratch.unlink(missing_ok=True)


def _shown_names(names: Sequence[str]) -> str | None:
    """Names of undeclared columns for people; one that could be a value itself is withheld."""
    if not names:
        return None
    shown = [
        "(withheld)" if "@" in name or sum(c.isdigit() for c in name) > 6 else one_line(name)
        for name in names[:_NAMES_SHOWN]
    ]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
