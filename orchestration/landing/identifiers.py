"""What makes two spellings one identifier: a normaliser for each kind, and what is known of junk.

`normalise(kind, raw, rules)` gives the one form that is hashed, with a flag where the value itself
tells that it cannot speak for one person. The flag travels beside the token, because downstream
nobody sees the value. Most of what is known of junk are rows of seeds/blocklist_shape.csv; code
keeps what a row cannot say: one digit over and over, digits counted up or down, hidden digits, an
extension.

    placeholder  a word or shape that means "nothing"      masked   digits hidden by a platform
    relay        a number lent for one delivery            role     a function's mailbox, throw-away
    invalid      cannot be such an identifier              shared   a landline or hotline

`easy_sql` recognises in SQL the plain majority that needs none of this; both must agree, and tests
hold them to it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from orchestration.landing.id_rules import FLAGS, IdRules
from orchestration.landing.sql import literal

PLACEHOLDER, _, MASKED, RELAY, INVALID, SHARED = FLAGS
PERSONAL_LINES = frozenset(
    {
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.PAGER,
        PhoneNumberType.UNKNOWN,
    }
)

# Zero-width and direction marks, soft hyphen, byte order mark: invisible, so never part of a value.
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_MOBILE = re.compile(r"(?:\+?86|0086|0)?(1[3-9][0-9]{9})")
_RELAY = re.compile(
    r"((?:\+?86|0086)?1[3-9][0-9]{9})(?:[-_,;#*x转]|ext[.:]?|分机)+([0-9]{1,6})"
    r"|((?:\+?86|0086)?1[3-9][0-9]{9})[\[(【]([0-9]{1,6})[\])】]"
    r"|[\[(【]([0-9]{1,6})[\])】]((?:\+?86|0086)?1[3-9][0-9]{9})"
)
_MASK = re.compile(r"[*•●×]+|(?<=[0-9])x{2,}(?=[0-9]|$)")
_FLOAT_EXPORT = re.compile(r"(\+?[0-9]{7,15})\.0+")
_EMAIL = re.compile(r"[^\s@\"(),:;<>\[\]\\]+@(?:[\w-]+\.)+[^\W\d_][\w-]+")
_UP, _DOWN = "0123456789" * 2, "9876543210" * 2
# Parts of a value that a shape names by comparing text, in Python and in SQL.
_AFFIXES = {
    "beginning": (str.startswith, "starts_with"),
    "ending": (str.endswith, "ends_with"),
    "containing": (str.__contains__, "contains"),
}
_PERSON_FORM = re.compile("[!-~\u4e00-\u9fff](?:[ -~\u4e00-\u9fff]*[!-~\u4e00-\u9fff])?")


@dataclass(frozen=True)
class Normal:
    """The form that is hashed, and the flag that travels with the token."""

    value: str
    flag: str | None = None


def clean(raw: str) -> str:
    """Fold full-width forms (NFKC), drop invisible characters and outer blanks."""
    if raw.isascii():
        return raw.strip()
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", raw)).strip()


def normalise(kind: str, raw: str, rules: IdRules) -> Normal | None:
    """Return the normal form of an identifier of kind phone, email, device, opaque or pii.

    None means that nothing is left of the value (blanks, invisible characters).
    """
    text = clean(raw)
    if not text:
        return None
    if kind == "pii":
        return Normal(text)
    if text.lower() in rules.placeholder_words:
        return Normal(text.lower(), PLACEHOLDER)
    if kind == "phone":
        normal = _phone(text)
    elif kind == "email":
        normal = _email(text, rules)
    else:
        normal = _opaque(text.lower() if kind == "device" else text)
    flags = {normal.flag, *_shapes(kind, normal.value, rules)} - {None}
    return Normal(normal.value, min(flags, key=FLAGS.index, default=None))


def _shapes(kind: str, form: str, rules: IdRules) -> set[str | None]:
    """The flags of the rows of blocklist_shape that a normal form answers to.

    It is compared in lower case, and a mainland telephone number without its +86.
    """
    text = form.lower()
    if kind == "phone":
        text = text.removeprefix("+86")
    mailbox, _, domain = text.rpartition("@")
    keys = {"value": text, "mailbox": mailbox.split("+")[0], "domain": domain}
    flags = {rules.shapes.get((kind, part), {}).get(key) for part, key in keys.items()}
    for part, (is_there, _) in _AFFIXES.items():
        shapes = rules.shapes.get((kind, part), {})
        flags |= {flag for shape, flag in shapes.items() if is_there(text, shape)}
    return flags


def _phone(text: str) -> Normal:
    text = re.sub(r"[\s\u2010-\u2015]", "", text.lower().replace("—", "-"))
    relay = _RELAY.fullmatch(re.sub(r"(?<=[0-9])-(?=[0-9]{4}(?:[^0-9]|$))", "", text)) or (
        _RELAY.fullmatch(text)
    )
    if relay:
        number, extension = [group for group in relay.groups() if group]
        if len(number) < len(extension):
            number, extension = extension, number
        return Normal(f"+86{number[-11:]}-{extension}", RELAY)
    if _MASK.search(text):
        return Normal(_MASK.sub(lambda m: "*" * len(m[0]), text), MASKED)
    exported = _FLOAT_EXPORT.fullmatch(text)
    digits = re.sub(r"[-.()/_]", "", exported[1] if exported else text)
    mobile = _MOBILE.fullmatch(digits)
    if mobile:
        return Normal(f"+86{mobile[1]}", PLACEHOLDER if _is_dummy(mobile[1]) else None)
    if digits.isdigit() and _is_dummy(digits):
        return Normal(digits, PLACEHOLDER)
    try:
        number = phonenumbers.parse(exported[1] if exported else text, "CN")
    except phonenumbers.NumberParseException:
        return Normal(text, INVALID)
    national = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if number.extension:
        return Normal(f"{national}-{number.extension}", RELAY)
    if not phonenumbers.is_valid_number(number):
        return Normal(text, INVALID)
    if phonenumbers.number_type(number) not in PERSONAL_LINES:
        return Normal(national, SHARED)
    return Normal(national)


def _is_dummy(digits: str) -> bool:
    """One digit over and over, or counted up or down."""
    return (
        len(set(digits)) == 1
        or re.search(r"([0-9])\1{7}", digits) is not None
        or any(
            digits[i : i + 8] in _UP or digits[i : i + 8] in _DOWN
            for i in range(max(1, len(digits) - 7))
            if len(digits) >= 5
        )
    )


def _email(text: str, rules: IdRules) -> Normal:
    text = text.lower()
    local, at, domain = text.rpartition("@")
    domain = domain.rstrip(".")
    text = local + at + domain
    if not _EMAIL.fullmatch(text) or _CONTROL.search(text):
        return Normal(text, INVALID)
    if rules.fold_gmail and domain in ("gmail.com", "googlemail.com"):
        local = local.split("+")[0].replace(".", "")
        text = f"{local}@gmail.com"
    is_nobody = local.split("+")[0] in rules.placeholder_words
    return Normal(text, PLACEHOLDER if is_nobody else None)


def _opaque(text: str) -> Normal:
    core = re.sub(r"[\W_]", "", text.lower())
    if not core.strip("0") or (len(core) >= 6 and len(set(core)) == 1):
        return Normal(text, PLACEHOLDER)
    if _CONTROL.search(text):
        return Normal(text, INVALID)
    return Normal(text)


def easy_sql(kind: str, column: str, rules: IdRules) -> tuple[str, str]:
    """Return DuckDB SQL (predicate, normal form) for values that are plain beyond doubt.

    Where the predicate holds, `normalise` gives the same form and no flag.
    """
    if kind == "pii":
        return f"regexp_full_match({column}, '{_PERSON_FORM.pattern}')", column
    if kind == "phone":
        runs = "|".join([str(d) * 6 for d in range(10)] + [_UP[i : i + 6] for i in range(10)])
        falls = "|".join(_DOWN[i : i + 6] for i in range(10))
        return (
            f"regexp_full_match({column}, '1[3-9][0-9]{{9}}') "
            f"and not regexp_matches({column}, '{runs}|{falls}'){_unlike(kind, column, rules)}",
            f"'+86' || {column}",
        )
    lowered = f"lower({column})"
    words = _sql_list(rules.placeholder_words)
    if kind == "email":
        unfolded = f" and split_part({lowered}, '@', 2) not in ('gmail.com', 'googlemail.com')"
        return (
            f"regexp_full_match({column}, '[A-Za-z0-9._-]+@([A-Za-z0-9-]+[.])+[A-Za-z]{{2,}}') "
            f"and split_part({lowered}, '@', 1) not in ({words})"
            + (unfolded if rules.fold_gmail else "")
            + _unlike(kind, lowered, rules),
            lowered,
        )
    return (
        f"regexp_full_match({column}, '[A-Za-z0-9][A-Za-z0-9._:@+/=-]*') "
        f"and {lowered} not in ({words}) "
        f"and regexp_matches({column}, '[A-Za-z1-9]') "
        f"and translate({lowered}, substr({lowered}, 1, 1) || '._:@+/=-', '') <> ''"
        + _unlike(kind, lowered, rules),
        lowered if kind == "device" else column,
    )


def _unlike(kind: str, text: str, rules: IdRules) -> str:
    """SQL that goes on with `and ...`: the text answers to no row of blocklist_shape."""
    keys = {"value": text}
    if kind == "email":
        keys |= {"mailbox": f"split_part({text}, '@', 1)", "domain": f"split_part({text}, '@', 2)"}
    tests = [
        f" and {key} not in ({_sql_list(rules.shapes[kind, part])})"
        for part, key in keys.items()
        if (kind, part) in rules.shapes
    ]
    tests += [
        f" and not {function}({text}, {literal(shape)})"
        for part, (_, function) in _AFFIXES.items()
        for shape in rules.shapes.get((kind, part), ())
    ]
    return "".join(tests)


def _sql_list(values: Iterable[str]) -> str:
    return ", ".join(literal(value) for value in sorted(values)) or "''"
