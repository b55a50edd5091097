"""Writes Sources/Tokenizers/Unicode/UnicodeTables.swift: what tokenizers knows about characters.

Its parts come from several libraries, each with the Unicode of its day: Oniguruma's classes, Rust's `char`,
the crates unicode_categories, unicode-normalization-alignments and regex. Each is asked about every
character, so that the tables say what it does and not what the newest Unicode would.

    python Tools/oracle/unicode_tables.py

Needs tokenizers 0.23.
"""

import unicodedata
from pathlib import Path

from tokenizers import Regex, normalizers, pre_tokenizers

TARGET = Path(__file__).resolve().parents[2] / "Sources/Tokenizers/Unicode/UnicodeTables.swift"
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CATEGORIES = (
    "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split()
)
PALETTE = [chr(c) for c in range(0x21, 0x7F) if chr(c) not in '0123456789abcdef"\\']
WIDTH = 92


def members(pre_tokenizer):
    """The characters that a pre-tokeniser removes."""
    return {c for c in SCALARS if not pre_tokenizer.pre_tokenize_str(chr(c))}


def matched(expression):
    return members(pre_tokenizers.Split(Regex(expression), "removed"))


def removed(normalizer):
    """The characters that a normaliser takes away after a letter."""
    return {c for c in SCALARS if normalizer.normalize_str("a" + chr(c)) == "a"}


def bert(**on):
    options = dict(
        clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False
    )
    return normalizers.BertNormalizer(**(options | on))


def properties():
    """A number for each character: its category in the lowest bits, and a bit for each set."""
    values = dict.fromkeys(SCALARS, CATEGORIES.index("Cn"))
    for index, name in enumerate(CATEGORIES[:-1]):
        for c in matched(rf"\p{{{name}}}"):
            values[c] = index
    digits = pre_tokenizers.Digits(False)
    whitespace = pre_tokenizers.Whitespace()

    def joins(c):
        pieces = whitespace.pre_tokenize_str("a" + chr(c))
        return len(pieces) == 1 and len(pieces[0][0]) > 1

    # Control characters that stay are whitespace to BERT, and two that it removes are not `is_other`.
    other = {c for c in SCALARS if not bert(clean_text=True).normalize_str(chr(c))}
    sets = [
        {c for c in SCALARS if len(digits.pre_tokenize_str("a" + chr(c))) == 2},
        members(pre_tokenizers.Punctuation("removed")),
        removed(bert(strip_accents=True)),
        removed(normalizers.StripAccents()),
        other,
        {c for c in SCALARS if joins(c)},
        matched(r"\w"),
        matched(r"\s"),
        matched(r"\p{Han}"),
        matched(r"\p{Hiragana}"),
        matched(r"\p{Katakana}"),
    ]
    for index, found in enumerate(sets):
        for c in found:
            values[c] |= 1 << (5 + index)
    return values


def runs(values):
    """Runs of equal numbers as text, and the numbers."""
    found = []
    previous, count = None, 0
    for c in range(0x110000):
        value = values.get(c, CATEGORIES.index("Cn"))
        if value == previous:
            count += 1
            continue
        if count:
            found.append((previous, count))
        previous, count = value, 1
    found.append((previous, count))
    numbers = sorted({value for value, _ in found})
    assert len(numbers) <= len(PALETTE), len(numbers)
    text = "".join(PALETTE[numbers.index(value)] + f"{count:x}" for value, count in found)
    return text, numbers


def decompositions():
    """`distance from the one before` `=` or `~` `scalars`, canonical or for compatibility."""
    nfd, nfkd = normalizers.NFD(), normalizers.NFKD()
    last, text = 0, []
    for c in SCALARS:
        if 0xAC00 <= c < 0xAC00 + 11172:
            continue
        canonical, compatible = nfd.normalize_str(chr(c)), nfkd.normalize_str(chr(c))
        for sign, form in (("=", canonical), ("~", compatible)):
            if form == chr(c) or sign == "~" and form == canonical:
                continue
            text.append(f"{c - last:x}{sign}" + ",".join(f"{ord(s):x}" for s in form))
            last = c
    return ";".join(text)


def compositions():
    nfd, nfc = normalizers.NFD(), normalizers.NFC()
    text = []
    for c in SCALARS:
        form = nfd.normalize_str(chr(c))
        if 0xAC00 <= c < 0xAC00 + 11172 or len(form) < 2 or nfc.normalize_str(chr(c)) != chr(c):
            continue
        first = nfc.normalize_str(form[:-1])
        assert len(first) == 1, hex(c)
        text.append(f"{ord(first):x},{ord(form[-1]):x},{c:x}")
    return ";".join(text)


def combining_classes():
    """`distance` `,` `class` of each character that is reordered, as far as the crate knows it."""
    nfd = normalizers.NFD()
    last, text = 0, []
    for c in SCALARS:
        number = unicodedata.combining(chr(c))
        if not number:
            continue
        lower = "a" + chr(c) + "\u0334" if number > 1 else "a\u0301" + chr(c)
        if nfd.normalize_str(lower) == lower:
            continue
        text.append(f"{c - last:x},{number:x}")
        last = c
    return ";".join(text)


def literal(name, doc, text):
    lines = [text[i : i + WIDTH] for i in range(0, len(text), WIDTH)]
    body = "\n".join("    " + line for line in lines)
    return f'  /// {doc}\n  static let {name}: StaticString = #"""\n{body}\n    """#\n'


def main():
    text, numbers = runs(properties())
    listed = ", ".join(str(n) for n in numbers)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(
        "// Made by Tools/oracle/unicode_tables.py. Do not edit.\n"
        "// swift-format-ignore-file\n\n"
        "/// What tokenizers 0.23 knows about characters, as text: see `CharacterTable` and `Decompositions`.\n"
        "enum UnicodeTables {\n"
        "  /// The numbers that runs of characters have.\n"
        f"  static let properties: [UInt16] = [\n    {listed}\n  ]\n\n"
        + literal("runs", "Runs of characters: a sign for the number, the count in hexadecimal digits.", text)
        + "\n" + literal("decompositions", "Decompositions, canonical (`=`) and for compatibility (`~`).", decompositions())
        + "\n" + literal("compositions", "Two characters and the one that they compose.", compositions())
        + "\n" + literal("combiningClasses", "Characters that are reordered, and their class.", combining_classes())
        + "}\n"
    )


if __name__ == "__main__":
    main()
