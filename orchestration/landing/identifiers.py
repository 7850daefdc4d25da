"""What makes two spellings one identifier: a normaliser for each kind, and what is known of junk.

`normalise(kind, raw, rules)` gives the one form that is hashed, with a flag where the value itself
tells that it cannot speak for one person. The flag travels beside the token, because downstream
nobody sees the value:

    placeholder  a word or shape that means "nothing"      masked   digits hidden by a platform
    relay        a number lent for one delivery            role     a function's mailbox, throw-away
    invalid      cannot be such an identifier              shared   a landline or hotline

`easy_sql` recognises in SQL the plain majority that needs none of this; both must agree, and tests
hold them to it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from orchestration.landing.contract import IdRules

PLACEHOLDER, ROLE, MASKED, RELAY = "placeholder", "role", "masked", "relay"
INVALID, SHARED = "invalid", "shared"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ROLE_MAILBOXES = _words(
    """
    noreply no-reply no_reply donotreply do-not-reply info support team admin administrator test
    service services sales contact hello help helpdesk office mail email postmaster webmaster
    hostmaster root abuse billing accounts marketing newsletter feedback hr jobs careers press
    enquiries inquiries customerservice customer-service customercare care orders order shop
    store kefu service_cn
    """
)
THROW_AWAY_DOMAINS = _words(
    """
    mailinator.com guerrillamail.com guerrillamail.net sharklasers.com 10minutemail.com
    tempmail.com temp-mail.org yopmail.com trashmail.com getnada.com dispostable.com maildrop.cc
    fakeinbox.com throwawaymail.com mintemail.com mohmal.com moakt.com linshiyouxiang.net
    chacuo.net bccto.me
    """
)
NOBODYS_DOMAINS = _words(
    """
    example.com example.org example.net test.com localhost.com domain.com none.com null.com
    """
)
DUMMY_PHONES = frozenset({"13800138000"})
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
_TEMPLATE = re.compile(r"\{\{|\$\{|^\[object|^%[a-z]", re.IGNORECASE)
_UP, _DOWN = "0123456789" * 2, "9876543210" * 2
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
        return _phone(text)
    if kind == "email":
        return _email(text, rules)
    return _opaque(text.lower() if kind == "device" else text)


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
    """A known test number, one digit over and over, counted up or down, or trailing zeros."""
    return (
        digits in DUMMY_PHONES
        or len(set(digits)) == 1
        or digits.endswith("0000000")
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
    mailbox = local.split("+")[0]
    if domain in NOBODYS_DOMAINS or mailbox in rules.placeholder_words or text == "a@a.com":
        return Normal(text, PLACEHOLDER)
    if mailbox in ROLE_MAILBOXES or domain in THROW_AWAY_DOMAINS:
        return Normal(text, ROLE)
    return Normal(text)


def _opaque(text: str) -> Normal:
    if not re.sub(r"[0\W_]", "", text):
        return Normal(text, PLACEHOLDER)
    if len(text) >= 6 and len(set(text.lower())) == 1:
        return Normal(text, PLACEHOLDER)
    if _TEMPLATE.search(text):
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
        dummies = _sql_list(DUMMY_PHONES)
        return (
            f"regexp_full_match({column}, '1[3-9][0-9]{{9}}') and {column} not in ({dummies}) "
            f"and not regexp_matches({column}, '{runs}|{falls}')",
            f"'+86' || {column}",
        )
    lowered = f"lower({column})"
    words = _sql_list(rules.placeholder_words | {"null"})
    if kind == "email":
        mailboxes = _sql_list(ROLE_MAILBOXES | rules.placeholder_words | {"a"})
        domains = THROW_AWAY_DOMAINS | NOBODYS_DOMAINS
        if rules.fold_gmail:
            domains |= {"gmail.com", "googlemail.com"}
        return (
            f"regexp_full_match({column}, '[A-Za-z0-9._-]+@([A-Za-z0-9-]+[.])+[A-Za-z]{{2,}}') "
            f"and split_part({lowered}, '@', 1) not in ({mailboxes}) "
            f"and split_part({lowered}, '@', 2) not in ({_sql_list(domains)})",
            lowered,
        )
    return (
        f"regexp_full_match({column}, '[A-Za-z0-9][A-Za-z0-9._:@+/=-]*') "
        f"and {lowered} not in ({words}) "
        f"and regexp_matches({column}, '[A-Za-z1-9]') "
        f"and replace({lowered}, substr({lowered}, 1, 1), '') <> ''",
        lowered if kind == "device" else column,
    )


def _sql_list(values: frozenset[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in sorted(values))
