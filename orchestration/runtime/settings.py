"""The settings of one run: the vars of dbt_project.yml with what this run says otherwise."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from orchestration.errors import UserError
from orchestration.runtime.paths import PROJECT_DIR

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class _Loader(yaml.SafeLoader):
    """YAML in which a day such as 2026-06-30 stays text, as it is in dbt's own vars."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Settings:
    """`given` is what the run overrides, as dbt's --vars takes it; `values` is every setting in
    force."""

    given: Mapping[str, Any]
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def channels(self) -> list[str]:
        """Channels whose staging models feed the unified layer."""
        return list(self.values["channels"])


def project_settings(project_dir: Path = PROJECT_DIR) -> dict[str, Any]:
    """Every var of dbt_project.yml with its committed value."""
    text = (project_dir / "dbt_project.yml").read_text(encoding="utf-8")
    return dict(yaml.load(text, _Loader)["vars"])


def project_version(project_dir: Path = PROJECT_DIR) -> str:
    """The version that dbt_project.yml states."""
    text = (project_dir / "dbt_project.yml").read_text(encoding="utf-8")
    return str(yaml.load(text, _Loader)["version"])


def read_settings(
    as_of: str | None = None,
    given: Mapping[str, Any] | None = None,
    project_dir: Path = PROJECT_DIR,
) -> Settings:
    """Lay what a run says over the project's settings.

    Raises UserError for a bad day, an unknown setting, or two different days. Whether the other
    values make sense is said by the macro `validate_settings` before the first model runs.
    """
    committed = project_settings(project_dir)
    overrides = dict(given or {})
    for name in overrides:
        if name not in committed:
            near = difflib.get_close_matches(name, committed, n=1)
            hint = f"did you mean {near[0]}?" if near else "dbt_project.yml lists them."
            raise UserError(f"--vars: there is no setting called {name}; {hint}")
    if as_of is not None:
        parse_day(as_of)
        if overrides.get("as_of", as_of) != as_of:
            raise UserError(
                f"--as-of says {as_of} and --vars says as_of: {overrides['as_of']}; give one of "
                "them."
            )
        overrides["as_of"] = as_of
    elif overrides.get("as_of") is not None:
        parse_day(str(overrides["as_of"]))
    if not isinstance(overrides.get("channels", {}), Mapping):
        raise UserError(
            "--vars: channels must map each channel to the entities that it feeds, "
            "for example {pos: [order_header, order_line]}."
        )
    return Settings(given=overrides, values=committed | overrides)


def parse_day(text: str, option: str = "--as-of") -> date:
    """Read a day such as 2026-06-30; anything else is a UserError that names the option."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise UserError(f"{option} must be a day such as 2026-06-30, not '{text}'.")


def parse_vars(text: str | None) -> dict[str, Any]:
    """Read --vars: a YAML mapping of settings, as dbt takes it."""
    if text is None:
        return {}
    try:
        parsed = yaml.load(text, _Loader)
    except yaml.YAMLError:
        parsed = None
    if not isinstance(parsed, dict) or not all(isinstance(name, str) for name in parsed):
        raise UserError(
            "--vars must be a YAML mapping of settings, "
            "for example --vars '{reporting_currency: USD, rfm_method: fixed}'."
        )
    return parsed


def pick_channels(settings: Settings, wanted: Sequence[str]) -> list[str]:
    """The channels to land: all of them, or those that were asked for.

    Raises UserError for a channel that the setting `channels` does not list.
    """
    for name in wanted:
        if name not in settings.channels:
            raise UserError(
                f"There is no channel called '{name}'; the setting channels lists: "
                f"{', '.join(settings.channels)}."
            )
    return list(wanted) or settings.channels
