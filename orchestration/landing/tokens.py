"""Keyed hashes: HMAC-SHA256, in Python for single values and in SQL for columns of them.

The SQL form takes the two padded blocks of the key as query parameters, so that the key stands in
no SQL text, and hashes a million values in about a second.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

TOKEN_LENGTH = 32
_BLOCK = 64


@dataclass(frozen=True)
class Tokeniser:
    """Makes tokens with one key; its parameters never appear in its repr."""

    key: bytes = field(repr=False)

    def token(self, id_type: str, scope: str, normalised: str) -> str:
        """Return the 32 hex digits that stand for one normalised identifier."""
        return self._digest(f"{id_type}|{scope}|{normalised}")

    def row_key(self, channel: str, table: str, value: str) -> str:
        """Return the 32 hex digits that stand for the key of a quarantined record."""
        return self._digest(f"key|{channel}.{table}|{value}")

    def _digest(self, message: str) -> str:
        return hmac.new(self.key, message.encode(), hashlib.sha256).hexdigest()[:TOKEN_LENGTH]

    @property
    def parameters(self) -> dict[str, bytes]:
        """Named parameters of the SQL form: the padded key blocks of the HMAC definition."""
        block = self.key if len(self.key) <= _BLOCK else hashlib.sha256(self.key).digest()
        block = block.ljust(_BLOCK, b"\0")
        return {
            "inner": bytes(byte ^ 0x36 for byte in block),
            "outer": bytes(byte ^ 0x5C for byte in block),
        }

    @staticmethod
    def sql(message: str) -> str:
        """Return DuckDB SQL for the token of a text expression; needs `parameters`."""
        inner = f"unhex(sha256($inner || encode({message})))"
        return f"left(sha256($outer || {inner}), {TOKEN_LENGTH})"
