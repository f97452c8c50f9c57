"""Items as the service may hold them, for property tests: every type, odd numbers, and other spellings of the same."""

from __future__ import annotations

import base64
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from dynamodb_copy.model import Item, KeySchema

Attribute = dict[str, Any]

KEYS = KeySchema("id")

thorough = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For pure functions; no deadline: the machine may be busy."""

brief = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For whole copies and comparisons."""

_TRICKY = [
    '"N":"1.0"',
    '{"N":"01"}',
    '"SS":["b","a"]',
    "\\",
    '"',
    "\N{GRINNING FACE}",
    "e\N{COMBINING ACUTE ACCENT}",
    "\x00",
]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(_TRICKY)

attribute_names = st.sampled_from(["N", "NS", "SS", "BS", "L", "M", "a", "ä", '"', "id2"]) | texts.filter(bool)


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """At most 38 digits between 1E-130 and 9.9…E+125, plain or with an exponent."""
    digits = draw(st.integers(0, 10**38 - 1) | st.integers(0, 200) | st.just(10**38 - 1))
    exponent = draw(st.integers(-130, 125 - 37) | st.integers(-3, 3))
    number = Decimal(draw(st.sampled_from(["", "-"])) + f"{digits}E{exponent}")
    return draw(st.sampled_from([format(number, "f"), format(number, "e"), f"{digits}E{exponent}"]))


binaries = st.binary(max_size=6).map(lambda packed: base64.b64encode(packed).decode())

_scalars: st.SearchStrategy[Attribute] = st.one_of(
    st.builds(lambda text: {"S": text}, texts),
    st.builds(lambda number: {"N": number}, numbers()),
    st.builds(lambda packed: {"B": packed}, binaries),
    st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda values: {"SS": values}, st.lists(texts, min_size=1, max_size=4, unique=True)),
    st.builds(lambda values: {"NS": values}, st.lists(numbers(), min_size=1, max_size=4, unique_by=Decimal)),
    st.builds(lambda values: {"BS": values}, st.lists(binaries, min_size=1, max_size=4, unique=True)),
)

attributes: st.SearchStrategy[Attribute] = st.recursive(
    _scalars,
    lambda inner: (
        st.builds(lambda values: {"L": values}, st.lists(inner, max_size=3))
        | st.builds(lambda values: {"M": values}, st.dictionaries(attribute_names, inner, max_size=3))
    ),
    max_leaves=6,
)


def items(key: str | None = None) -> st.SearchStrategy[Item]:
    """Items with a string key `id`: this one, or any."""
    ids = texts.filter(bool) if key is None else st.just(key)
    others = st.dictionaries(attribute_names, attributes, max_size=4)
    return st.builds(lambda text, rest: {"id": {"S": text}, **rest}, ids, others)


def respelled(item: Item, random: Random) -> Item:
    """The same content: attributes and sets in another order, numbers in another notation."""
    pairs = [(name, _respelled_attribute(attribute, random)) for name, attribute in item.items()]
    random.shuffle(pairs)
    return dict(pairs)


def _respelled_attribute(attribute: Attribute, random: Random) -> Attribute:
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return {kind: respelled_number(value, random)}
        case "NS":
            return {kind: random.sample([respelled_number(number, random) for number in value], len(value))}
        case "SS" | "BS":
            return {kind: random.sample(value, len(value))}
        case "L":
            return {kind: [_respelled_attribute(element, random) for element in value]}
        case "M":
            return {kind: respelled(value, random)}
    return attribute


def respelled_number(text: str, random: Random) -> str:
    """The same number in another notation."""
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    if not any(digits):
        return random.choice(["0", "-0", "0.0", "-0.00", "0E5", "000"])
    zeros = random.randrange(4)
    shown = "".join(map(str, digits)) + "0" * zeros
    minus, leading = "-" if sign else random.choice(["", "+"]), "0" * random.randrange(3)
    plain = format(Decimal(f"{shown}E{exponent - zeros}"), "f")
    scientific = f"{shown[0]}.{shown[1:] or '0'}e{exponent - zeros + len(shown[1:]):+}"
    return minus + leading + random.choice([plain, f"{shown}E{exponent - zeros}", scientific])


def meaning(item: Item) -> object:
    """What the item says, as Python values that compare as the service compares: an independent second opinion."""
    return frozenset((name, _meaning_of_attribute(attribute)) for name, attribute in item.items())


def _meaning_of_attribute(attribute: Attribute) -> object:
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return kind, Decimal(value)
        case "NS":
            return kind, frozenset(map(Decimal, value))
        case "SS" | "BS":
            return kind, frozenset(value)
        case "L":
            return kind, tuple(map(_meaning_of_attribute, value))
        case "M":
            return kind, meaning(value)
    return kind, value


def changed(item: Item, replacement: Attribute, random: Random) -> Item:
    """The item with one thing changed somewhere: an attribute gone, renamed, replaced, or changed in its depth."""
    name = random.choice(sorted(item))
    others = {other: attribute for other, attribute in item.items() if other != name}
    match random.choice(["gone", "renamed", "replaced", "deeper"]):
        case "gone":
            return others
        case "renamed":
            return {**others, name + "'": item[name]}
        case "replaced":
            return {**others, name: replacement}
    return {**others, name: _changed_attribute(item[name], replacement, random)}


def _changed_attribute(attribute: Attribute, replacement: Attribute, random: Random) -> Attribute:
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            number = Decimal(value)
            return {kind: str(number.copy_negate()) if number else "1E-130"}
        case "NS" | "SS" | "BS" if len(value) > 1:
            return {kind: value[1:]}
        case "L" if value:
            at = random.randrange(len(value))
            return {kind: [*value[:at], _changed_attribute(value[at], replacement, random), *value[at + 1 :]]}
        case "M" if value:
            return {kind: changed(value, replacement, random)}
        case "S":
            return {"B": value} if random.random() < 0.5 else {kind: value + " "}
    return replacement
