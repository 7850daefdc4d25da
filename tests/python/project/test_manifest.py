"""Rules of the house, read from dbt's manifest: names, layers, sizes, keys, contracts, words, tags."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[3]

# What a layer may read. Marts read core and nothing below it; the quality marts also read the accounting of rows.
MAY_READ = {
    "staging": {"source", "seed"},
    "unified": {"staging", "unified", "seed", "source.landing"},
    "identity": {"unified", "identity", "seed", "source.rules"},
    "core": {"unified", "identity", "core", "seed"},
    "marts": {"core", "marts", "seed", "source.clv"},
    "marts/quality": {"core", "marts", "seed", "source.landing", "unified", "identity"},
}
NAMES = {
    "staging": r"stg_[a-z0-9]+__[a-z_]+$",
    "unified": r"(unified|quarantine)_[a-z_]+$|int_unified__[a-z_]+$",
    "identity": r"(int_identity__|identity_|bridge_|dim_)[a-z_]+$",
    "core": r"(dim|fct|bridge)_[a-z_]+$|int_core__[a-z_]+$",
    "marts": r"(?!stg_|int_|dim_|fct_)[a-z]+(_[a-z0-9]+)+$|int_[a-z]+__[a-z_]+$",
}
LONGEST = 150


def _models(manifest: dict) -> dict[str, dict]:
    return {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }


def _layer(node: dict) -> str:
    return node["fqn"][1]


def _meta(column: dict) -> dict:
    return column.get("config", {}).get("meta") or column.get("meta") or {}


def test_names_follow_their_layer(manifest: dict) -> None:
    wrong = [n for n, m in _models(manifest).items() if not re.match(NAMES[_layer(m)], n)]
    assert wrong == []


def test_layers_read_only_what_they_may(manifest: dict) -> None:
    wrong = []
    for name, node in _models(manifest).items():
        layer = _layer(node)
        allowed = (
            MAY_READ["marts/quality"]
            if node["fqn"][1:3] == ["marts", "quality"]
            else MAY_READ[layer]
        )
        for parent in node["depends_on"]["nodes"]:
            kind = parent.split(".")[0]
            if kind == "model":
                read = _layer(manifest["nodes"][parent])
                accepted = {read}
            elif kind == "source":
                accepted = {"source", f"source.{parent.split('.')[2]}"}
            else:
                accepted = {kind}
            if not accepted & allowed:
                wrong.append(f"{name} reads {parent}")
    assert wrong == []


def test_every_model_begins_with_its_grain(manifest: dict) -> None:
    wrong = [
        name for name, node in _models(manifest).items()
        if not re.match(r"\s*-- One row per ", re.sub(r"^(\s*\{[{%#].*?[}%#]\}\s*)+", "", node["raw_code"], flags=re.S))
    ]  # fmt: skip
    assert wrong == []


def test_no_model_is_too_long(manifest: dict) -> None:
    lengths = {
        name: sum(bool(line.strip()) for line in node["raw_code"].splitlines())
        for name, node in _models(manifest).items()
    }
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}


def test_every_model_is_described_with_its_columns(manifest: dict) -> None:
    wrong = []
    for name, node in _models(manifest).items():
        if not node["description"]:
            wrong.append(name)
        wrong += [
            f"{name}.{column['name']}"
            for column in node["columns"].values()
            if not column["description"]
        ]
    assert wrong == []


def test_every_model_has_a_key_test(manifest: dict) -> None:
    keyed = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and (node.get("test_metadata") or {}).get("name")
        in ("unique", "unique_combination", "primary_key")
    }
    wrong = [n for n, m in _models(manifest).items() if m["unique_id"] not in keyed]
    assert wrong == []


@pytest.mark.parametrize("layer", ["core", "marts"])
def test_public_models_keep_a_contract(manifest: dict, layer: str) -> None:
    wrong = []
    for name, node in _models(manifest).items():
        if _layer(node) != layer or name.startswith("int_"):
            continue
        if not node["config"]["contract"]["enforced"] or node["config"].get("access") != "public":
            wrong.append(name)
        for column in node["columns"].values():
            if not column["data_type"] or _meta(column).get("pii") not in (
                "none",
                "quasi",
                "direct",
            ):
                wrong.append(f"{name}.{column['name']}")
            if _meta(column).get("pii") == "direct":
                wrong.append(f"{name}.{column['name']} is direct personal data outside the vault")
    assert wrong == []


def test_branching_models_have_unit_tests(manifest: dict) -> None:
    tested = {unit["model"] for unit in manifest["unit_tests"].values()}
    wrong = [
        name
        for name, node in _models(manifest).items()
        if _layer(node) in ("staging", "identity", "core", "marts")
        and re.search(r"\bcase\b|is_incremental\(\)", re.sub(r"--[^\n]*", "", node["raw_code"]))
        and name not in tested
    ]
    assert wrong == []


def test_settings_are_few_documented_and_read_in_one_place() -> None:
    text = (PROJECT / "dbt_project.yml").read_text()
    names = list(yaml.safe_load(text)["vars"])
    assert len(names) <= 30
    settings = (PROJECT / "macros" / "hooks" / "settings.sql").read_text()
    for name in names:
        line = next(line for line in text.splitlines() if re.match(rf"\s+{name}:", line))
        assert "#" in line or name == "channels", f"{name} has no comment"
        assert f"setting('{name}')" in settings, f"{name} is not validated"
    elsewhere = [
        str(path.relative_to(PROJECT))
        for folder in ("models", "macros", "tests")
        for path in (PROJECT / folder).rglob("*.sql")
        if path.name != "settings.sql" and re.search(r"\bvar\(", path.read_text())
    ]
    assert elsewhere == []


def test_no_key_or_secret_reaches_jinja() -> None:
    for folder in ("models", "macros", "tests"):
        for path in (PROJECT / folder).rglob("*.sql"):
            assert "PERENNIAL_KEY" not in path.read_text(), path


def test_no_pickle_anywhere() -> None:
    for path in (PROJECT / "orchestration").rglob("*.py"):
        assert not re.search(r"\b(import|from) (pickle|joblib|dill)\b", path.read_text()), path


def test_the_readme_lists_every_mart(manifest: dict) -> None:
    readme = (PROJECT / "README.md").read_text()
    marts = [
        n for n, m in _models(manifest).items() if _layer(m) == "marts" and not n.startswith("int_")
    ]
    assert [name for name in marts if f"| `{name}` |" not in readme] == []
