"""Random numbers that depend on nothing but (seed, stream, id).

DuckDB's random() depends on threads and its hash() may change between releases, so the demo brings
its own generator and computes it inside SQL. A stream is a name such as "person.phone". From the
seed and that name Python derives two 32-bit constants, an odd multiplier and an offset, by SHA-256.
The draw of row `id` is then a bijective integer mixer ("lowbias32", three xor-shifts and two
multiplications modulo 2^32) over (id * multiplier + offset) modulo 2^32. Hence

* the same seed gives the same value for a row, whatever the order of rows, the number of threads,
  the number of customers or the platform;
* two streams are unrelated, although they read the same id;
* two ids of one stream never share a 32-bit value, so it can serve as a unique code.

Ids must lie in 0 .. 2^32 - 1.
"""

from __future__ import annotations

import hashlib
import math

MASK = "4294967295::ubigint"

MACROS = f"""
create or replace temp macro demo_xs(x, n) as xor(x, x >> n);
create or replace temp macro demo_bits(id, a, b) as
    demo_xs((demo_xs((demo_xs(
        (cast(id as ubigint) * a::ubigint + b::ubigint) & {MASK}, 16)
        * 2146121005::ubigint) & {MASK}, 15) * 2221713035::ubigint) & {MASK}, 16);
create or replace temp macro demo_unit(id, a, b) as
    (cast(demo_bits(id, a, b) as double) + 0.5) / 4294967296.0;
"""


class Draws:
    """SQL text of random draws for one seed; methods take a stream name and an id expression."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def constants(self, stream: str) -> tuple[int, int]:
        """Odd multiplier and offset (both below 2^31, so that the product fits 64 bits)."""
        digest = hashlib.sha256(f"perennial demo|{self.seed}|{stream}".encode()).digest()
        multiplier = int.from_bytes(digest[:4], "big") >> 1 | 1
        offset = int.from_bytes(digest[4:8], "big") >> 1
        return multiplier, offset

    def bits(self, stream: str, row: str) -> str:
        """32 random bits as UBIGINT, a bijection of the id."""
        multiplier, offset = self.constants(stream)
        return f"demo_bits({row}, {multiplier}, {offset})"

    def unit(self, stream: str, row: str) -> str:
        """Uniform DOUBLE strictly between 0 and 1."""
        multiplier, offset = self.constants(stream)
        return f"demo_unit({row}, {multiplier}, {offset})"

    def below(self, stream: str, row: str, bound: int | str) -> str:
        """Uniform BIGINT in 0 .. bound - 1."""
        return f"cast(floor({self.unit(stream, row)} * {bound}) as bigint)"

    def exponential(self, stream: str, row: str) -> str:
        """Exponential DOUBLE with mean 1."""
        return f"(-ln({self.unit(stream, row)}))"

    def gamma_half(self, stream: str, row: str) -> str:
        """Gamma(1/2, 1): half the square of a standard normal (Box-Muller)."""
        angle = self.unit(stream + ".angle", row)
        return f"({self.exponential(stream, row)} * pow(cos({2 * math.pi!r} * {angle}), 2))"

    def gamma_whole(self, stream: str, row: str, shape: int) -> str:
        """Gamma(shape, 1) for a whole shape: a sum of exponentials."""
        parts = (self.exponential(f"{stream}.{k}", row) for k in range(shape))
        return "(" + " + ".join(parts) + ")"

    def permutation(self, stream: str, row: str, power: int) -> str:
        """A number below 10^power that no other id below 10^power gets, as BIGINT."""
        digest = hashlib.sha256(f"perennial demo|{self.seed}|{stream}".encode()).digest()
        modulus = 10**power
        multiplier = int.from_bytes(digest[:8], "big") % (modulus // 10) * 10 + 7
        offset = int.from_bytes(digest[8:16], "big") % modulus
        product = f"(cast({row} as hugeint) * {multiplier} + {offset})"
        return f"cast({product} % {modulus} as bigint)"
