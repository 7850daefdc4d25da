"""How people write an identifier on the command line, and how it is written for them.

phone:13812345678                     type:value, the raw value as a file would hold it
wx_openid@wxapp1:oABC                 type@scope:value
phone:token:4693a373                  a token, or its beginning; needs no key
account@shop:1001                     the account 1001 of the source system shop
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.errors import UserError
from orchestration.landing.identifiers import clean
from orchestration.landing.rules import TOKEN_PREFIX

ACCOUNT = "account"
SPELLINGS = (
    "write type:value, type@scope:value, type:token:<token> or "
    "account@source_system:source_record_id"
)
_CUSTOMER = re.compile(r"c_[0-9a-f]{24}")
_TYPE = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)([@:])(.*)", re.DOTALL)


@dataclass(frozen=True)
class Spelled:
    """An identifier as somebody wrote it; `scope` is None where it was left out."""

    id_type: str
    rest: str
    has_scope: bool

    def parts(self, known_scopes: Sequence[str]) -> tuple[str | None, str]:
        """Scope and value. A scope may hold colons, so the longest known one wins.

        Raises UserError where scope or value is missing.
        """
        if not self.has_scope:
            scope, value = None, self.rest
        else:
            for known in sorted(known_scopes, key=len, reverse=True):
                if self.rest.startswith(f"{known}:"):
                    scope, value = known, self.rest[len(known) + 1 :]
                    break
            else:
                scope, colon, value = self.rest.partition(":")
                scope = clean(scope)
                if not colon:
                    raise UserError(f"An identifier has a scope but no value; {SPELLINGS}.")
        if not clean(value.removeprefix(TOKEN_PREFIX)):
            raise UserError(f"An identifier of type {self.id_type} has no value; {SPELLINGS}.")
        return scope, value


def is_customer_id(text: str) -> bool:
    """True for what looks like a customer id."""
    return _CUSTOMER.fullmatch(text.strip()) is not None


def read_identifier(text: str) -> Spelled:
    """Take an identifier apart; raises UserError for text that is none. Never repeats the text."""
    match = _TYPE.fullmatch(text)
    if match is None:
        raise UserError(
            f"An identifier begins with its type; {SPELLINGS}, or give a customer id (c_ and 24 "
            "hex digits)."
        )
    id_type, mark, rest = match.groups()
    return Spelled(id_type.lower(), rest, mark == "@")


def write_identifier(id_type: str, id_scope: str, id_value: str) -> str:
    """The spelling of an identifier that `read_identifier` takes; `id_value` may be shortened."""
    scope = f"@{id_scope}" if id_scope else ""
    token = "" if id_type == ACCOUNT else TOKEN_PREFIX
    return f"{id_type}{scope}:{token}{id_value}"
