"""The key of the keyed hashes: where it comes from, and the mark that tells two keys apart."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from orchestration.errors import UserError
from orchestration.runtime.durable import replacing

MINIMUM_BYTES = 32


def load_key(data_root: Path, progress: Callable[[str], None] | None = None) -> bytes:
    """Return the key from PERENNIAL_KEY or, on a data root that the demo made, from its vault.

    Raises UserError when there is no key or it is shorter than 32 bytes.
    """
    given = os.environ.get("PERENNIAL_KEY", "").encode()
    if given:
        if len(given) < MINIMUM_BYTES:
            raise UserError(
                f"PERENNIAL_KEY has {len(given)} bytes, at least {MINIMUM_BYTES} are needed; "
                "make one with `openssl rand -hex 32` and keep it safe."
            )
        return given
    demo = data_root / "vault" / "demo.key"
    if demo.is_file():
        key = demo.read_bytes().strip()
        if len(key) < MINIMUM_BYTES:
            raise UserError(
                f"The demo key {demo} is damaged; delete the data root and run "
                "`perennial demo` again."
            )
        if progress:
            progress(f"using the demo key {demo}")
        return key
    raise UserError(
        "PERENNIAL_KEY is not set, and identifiers cannot be protected without it; "
        "make one with `openssl rand -hex 32`, keep it safe and set it."
    )


def key_id(key: bytes) -> str:
    """Return 16 hex digits that name a key without telling it."""
    return hashlib.sha256(b"perennial key id|" + key).hexdigest()[:16]


def check_key_id(data_root: Path, key: bytes) -> None:
    """Remember the key's id in the vault at the first landing; refuse another key afterwards.

    Raises UserError when the data root was landed with another key: its tokens would match nothing.
    """
    target = data_root / "vault" / "key_id"
    mine = key_id(key)
    if not target.is_file():
        with replacing(target, private=True) as temporary:
            temporary.write_text(mine + "\n", encoding="utf-8")
        return
    known = target.read_text(encoding="utf-8").strip()
    if known != mine:
        raise UserError(
            f"{data_root} was landed with another key (id {known}, not {mine}), so its tokens "
            "would match nothing; set PERENNIAL_KEY to that key, or land everything anew in "
            "another data root."
        )
