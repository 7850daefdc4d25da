"""The second pass of identity: Splink on one golden row per person, for pairs that share no
identifier. It only writes proposals; the models judge them by the guards of every other link.

How likely a match agrees on an attribute is learned from the accounts that identifiers have already
joined, how likely strangers do from random pairs. The model is trained rarely and kept as JSON.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.errors import UserError
from orchestration.identity.golden import Holdings, People, read_people
from orchestration.landing.rules import PROBABLE_LINK
from orchestration.runtime.durable import replacing
from orchestration.runtime.lock import run_lock
from orchestration.runtime.paths import PROJECT_DIR, DataPaths
from orchestration.runtime.preflight import read_warehouse
from orchestration.runtime.progress import Progress
from orchestration.runtime.settings import Settings

INSTALL = '.venv/bin/python -m pip install -e ".[probabilistic]"'
SEED = 1
MAX_RANDOM_PAIRS = 1_000_000
# One person in twenty is expected to have a second customer somewhere; the prior of a pair follows.
DUPLICATE_SHARE = 0.05
# How often the accounts of one person agree, level by level, until enough joined accounts say
# otherwise: the guess counts as much as GUESS_PAIRS pairs. No level is impossible for strangers.
GUESSES = {
    "name": (0.9, 0.1),
    "birth_date": (0.93, 0.03, 0.04),
    "gender": (0.97, 0.03),
    "place": (0.8, 0.1, 0.1),
}
GUESS_PAIRS = 50
LEAST_U = 0.00001
BLOCKS = (
    ("name", "city"),
    ("name", "birth_date"),
    ("birth_date", "city"),
    ("birth_date", "gender"),
)
ATTRIBUTES = ("birth_date", "city", "gender", "name", "province")
BANDS = ("accept", "review", "cannot_link")


@dataclass(frozen=True)
class Outcome:
    """What one pass found. `pairs` are rows of the file, the likeliest first."""

    person_count: int
    model_id: str
    model_file: Path
    is_trained_now: bool
    file: Path
    pairs: list[dict[str, Any]]

    @property
    def bands(self) -> dict[str, int]:
        """Pairs in each band."""
        counted = Counter(pair["band"] for pair in self.pairs)
        return {band: counted[band] for band in BANDS}

    def as_json(self) -> dict[str, Any]:
        """Figures and places, without a word about single people."""
        return {
            "persons": self.person_count, "bands": self.bands, "model_id": self.model_id,
            "model_file": str(self.model_file), "trained": self.is_trained_now,
            "file": str(self.file),
        }  # fmt: skip


def find_probable_links(
    paths: DataPaths, settings: Settings, train: bool, run_id: str, progress: Progress
) -> Outcome:
    """Compare the persons of the last build and write the pairs that are probably one.

    Raises UserError in one sentence where Splink is not installed, a setting is bad, nothing was
    built, no model was trained, or there is nothing to compare or to learn from.
    """
    if importlib.util.find_spec("splink") is None:
        raise UserError(f"The second pass needs Splink, which is not installed: run `{INSTALL}`.")
    accept, review = _bounds(settings)
    model_file = model_place(paths, settings)
    if not train and not model_file.is_file():
        raise UserError(f"There is no trained model at {model_file}; run this once with --train.")
    file = paths.root / "landed" / "rules" / "probable_link" / "rules.parquet"
    with run_lock(paths.lock, run_id), _silence():
        with progress.step("read") as step:
            with read_warehouse(paths) as connection:
                people = read_people(connection)
            if people.golden.num_rows < 2:
                raise UserError("The last build has fewer than two persons with an account.")
            step.say(f"{people.golden.num_rows:,} persons, {people.accounts.num_rows:,} accounts")
        if train:
            with progress.step("train") as step:
                text = json.dumps(train_model(people), indent=1, sort_keys=True) + "\n"
                with replacing(model_file) as temporary:
                    temporary.write_text(text, encoding="utf-8")
                step.say(f"{model_file}")
        with progress.step("compare") as step:
            model, model_id = _read_model(model_file)
            scored = score(people.golden, model, review)
            pairs = [pair | {"model_id": model_id} for pair in judge(scored, people, accept)]
            with replacing(file) as temporary:
                pq.write_table(pa.Table.from_pylist(pairs, PROBABLE_LINK), temporary)
            outcome = Outcome(people.golden.num_rows, model_id, model_file, train, file, pairs)
            bands = ", ".join(f"{count:,} {band}" for band, count in outcome.bands.items())
            step.say(f"{bands}, model {model_id}: {file}")
    return outcome


def model_place(paths: DataPaths, settings: Settings) -> Path:
    """The file of the trained model: the setting's, seen from the checkout, or one under the data
    root."""
    given = settings["identity_probabilistic_model"]
    return PROJECT_DIR / str(given) if given else paths.root / "identity" / "probabilistic.json"


def train_model(people: People) -> dict[str, Any]:
    """Learn how accounts of one person agree and how different persons do; return Splink's
    settings.

    Raises UserError where identifiers have joined no two accounts that could teach anything.
    """
    from splink import DuckDBAPI, Linker

    with duckdb.connect(config={"threads": 1}) as connection:
        for name, rows in (("account", people.accounts), ("golden", people.golden)):
            connection.register("rows", rows)
            connection.execute(f"create table {name} as select * from rows order by unique_id")
        database = DuckDBAPI(connection)
        # Strangers are drawn from the persons: among accounts, many random pairs would be one.
        strangers = Linker(database.register("golden"), _blank_model(), log_level=None)
        strangers.training.estimate_u_using_random_sampling(max_pairs=MAX_RANDOM_PAIRS, seed=SEED)
        settings = strangers.misc.save_model_to_json()
        linker = Linker(database.register("account"), settings, log_level=None)
        linker.training.estimate_m_from_label_column("person")
        model = linker.misc.save_model_to_json()
        taught = _pairs_that_teach(connection, people.accounts.column_names, model)
    if not any(taught.values()):
        raise UserError(
            "There is nothing to learn from: no two accounts of one person have a name, birth "
            "date, gender or place that can be compared."
        )
    for comparison in model["comparisons"]:
        name = comparison["output_column_name"]
        levels = [x for x in comparison["comparison_levels"] if not x.get("is_null_level")]
        for level, guess in zip(levels, GUESSES[name], strict=True):
            # A level that no pair reached has a text or nothing there.
            m, u = (
                value if isinstance(value, float) else 0.0
                for value in (level.get("m_probability"), level.get("u_probability"))
            )
            m = (m * taught[name] + guess * GUESS_PAIRS) / (taught[name] + GUESS_PAIRS)
            level["m_probability"] = round(m, 9)
            level["u_probability"] = round(max(u, LEAST_U), 9)
    # Splink gives each model a random name.
    return {name: value for name, value in model.items() if name != "linker_uid"}


def _pairs_that_teach(
    connection: duckdb.DuckDBPyConnection, columns: list[str], model: Mapping[str, Any]
) -> dict[str, int]:
    """Pairs of accounts of one person in which a comparison has something to compare."""
    nothing = [each["comparison_levels"][0]["sql_condition"] for each in model["comparisons"]]
    counts = ", ".join(f"count(*) filter (where not coalesce({sql}, false))" for sql in nothing)
    sides = ", ".join(f"l.{name} as {name}_l, r.{name} as {name}_r" for name in columns)
    found = connection.execute(
        f"select {counts} from (select {sides} from account as l inner join account as r "
        "on r.person = l.person and r.unique_id > l.unique_id) as pair"
    ).fetchall()[0]
    names = [comparison["output_column_name"] for comparison in model["comparisons"]]
    return dict(zip(names, found, strict=True))


def score(golden: pa.Table, model: Mapping[str, Any], review: float) -> list[dict[str, Any]]:
    """Pairs of persons at least as probable as `review`: left, right, probability (6 digits),
    match_weight (3 digits), agrees_on; the likeliest first."""
    from splink import DuckDBAPI, Linker

    prior = DUPLICATE_SHARE / (golden.num_rows - 1)
    with duckdb.connect() as connection:
        connection.register("golden_rows", golden)
        connection.execute("create table golden as select * from golden_rows order by unique_id")
        linker = Linker(
            DuckDBAPI(connection).register("golden"),
            dict(model) | {"probability_two_random_records_match": prior},
            log_level=None,
        )
        predicted = linker.inference.predict(threshold_match_probability=review)
        agrees = ", ".join(
            f"case when l.{name} = r.{name} then '{name}' end" for name in ATTRIBUTES
        )
        rows = connection.execute(
            f"""
            select
                least(p.unique_id_l, p.unique_id_r) as left,
                greatest(p.unique_id_l, p.unique_id_r) as right,
                round(p.match_probability, 6) as probability,
                round(p.match_weight, 3) as match_weight,
                concat_ws(', ', {agrees}) as agrees_on
            from {predicted.physical_name} as p
            inner join golden as l on l.unique_id = p.unique_id_l
            inner join golden as r on r.unique_id = p.unique_id_r
            order by match_weight desc, 1, 2
            """
        ).to_arrow_table()
    return rows.to_pylist()


def judge(scored: list[dict[str, Any]], people: People, accept: float) -> Iterator[dict[str, Any]]:
    """Give each pair its band and name it by two accounts.

    The likeliest pairs come first: what they join counts when a later pair would give a person more
    values of a type than one may hold, or join two that a statement keeps apart.
    """
    groups: dict[int, int] = {}
    members: dict[int, set[int]] = {}
    held: dict[int, Holdings] = {}

    def group(person: int) -> int:
        if person not in groups:
            groups[person], members[person] = person, {person}
            held[person] = {key: set(values) for key, values in people.holdings[person].items()}
        return groups[person]

    for pair in scored:
        left, right = group(pair["left"]), group(pair["right"])
        reason = None
        if left != right:
            reason = _conflict(held[left], held[right]) or next(
                (
                    people.apart[min(a, b), max(a, b)]
                    for a in sorted(members[left])
                    for b in sorted(members[right])
                    if (min(a, b), max(a, b)) in people.apart
                ),
                None,
            )
        band = "review"
        if reason:
            band = "cannot_link"
        elif pair["probability"] >= accept:
            band = "accept"
            for person in members[right] if left != right else ():
                groups[person] = left
            if left != right:
                members[left] |= members.pop(right)
                for key, values in held.pop(right).items():
                    held[left].setdefault(key, set()).update(values)
        (left_scope, left_value), (right_scope, right_value) = (
            people.anchors[pair[side]] for side in ("left", "right")
        )
        yield {
            "left_type": "account", "left_scope": left_scope, "left_token": left_value,
            "right_type": "account", "right_scope": right_scope, "right_token": right_value,
            "probability": pair["probability"], "match_weight": pair["match_weight"],
            "agrees_on": pair["agrees_on"], "band": band, "reason": reason,
        }  # fmt: skip


def _conflict(left: Holdings, right: Holdings) -> str | None:
    """The first limit that two persons would break only together."""
    for key in sorted(left.keys() & right.keys()):
        together = len(left[key] | right[key])
        if together > max(key[1], len(left[key]), len(right[key])):
            return f"limit:{key[0].partition('|')[0]}"
    return None


def _blank_model() -> Any:
    """What is compared with what, before anything was learned."""
    from splink import SettingsCreator, block_on
    from splink import comparison_level_library as levels
    from splink import comparison_library as comparisons

    def comparison(name: str, null: str, *parts: Any) -> Any:
        blank = levels.CustomLevel(null, "nothing to compare").configure(is_null_level=True)
        return comparisons.CustomComparison([blank, *parts], output_column_name=name)

    def null(name: str) -> str:
        return f"{name}_l is null or {name}_r is null"

    same, other = levels.ExactMatchLevel, levels.ElseLevel
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="unique_id",
        blocking_rules_to_generate_predictions=[block_on(*columns) for columns in BLOCKS],
        comparisons=[
            comparison(
                "name",
                f"{null('name')} or name_family_l <> name_family_r",
                same("name", term_frequency_adjustments=True),
                other(),
            ),
            comparison(
                "birth_date",
                null("birth_date"),
                same("birth_date"),
                levels.LevenshteinLevel("birth_date", 1),
                other(),
            ),
            comparison(
                "gender",
                null("gender"),
                same("gender"),
                other(),
            ),
            comparison(
                "place",
                "(city_l is null or city_r is null) and (province_l is null or province_r is null)",
                same("city", term_frequency_adjustments=True),
                same("province", term_frequency_adjustments=True),
                other(),
            ),
        ],
    )


def _read_model(file: Path) -> tuple[dict[str, Any], str]:
    """A trained model and the beginning of its hash."""
    try:
        model = json.loads(file.read_text(encoding="utf-8"))
        compared = [comparison["output_column_name"] for comparison in model["comparisons"]]
    except (OSError, ValueError, KeyError, TypeError):
        compared = []
    if compared != list(GUESSES):
        raise UserError(f"{file} is no model that this version trained; run with --train.")
    canonical = json.dumps(model, sort_keys=True)
    return model, hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _bounds(settings: Settings) -> tuple[float, float]:
    names = ("identity_probabilistic_accept", "identity_probabilistic_review")
    accept, review = (settings[name] for name in names)
    for name, value in zip(names, (accept, review), strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.5 <= value <= 1:
            raise UserError(f"Setting {name} must lie between 0.5 and 1, not '{value}'.")
    if review > accept:
        raise UserError(f"Setting {names[1]} ({review}) must not lie above {names[0]} ({accept}).")
    return float(accept), float(review)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Splink prints and logs its iterations; the progress lines hold the real standard output."""
    logger = logging.getLogger("splink")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
