"""Names: what may be had, and when two names are one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_msg.accounts.confusables import script
from secure_msg.accounts.errors import NameRefused
from secure_msg.accounts.names import (
    MAX_BYTES,
    MAX_SKELETON,
    RESERVED,
    check_name,
    skeleton_of,
)


@pytest.mark.parametrize(
    "name",
    [
        "alice",
        "Alice.B_c-9",
        "abc",
        "a" * 32,
        "Ольга",
        "Ωμέγα",
        "日本ひろ",
        "한국사람",
        "हिन्दी",
        "عائشة",
    ],
)
def test_names_of_one_script_may_be_had(name):
    assert check_name(name).shown == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ab", "too-short"),
        ("", "too-short"),
        ("   a   ", "too-short"),
        ("a" * 33, "too-long"),
        ("Ж" * 33, "too-long"),
        ("a b c", "characters"),
        ("a/b/c", "characters"),
        ("<b>bold</b>", "start"),
        ("alice\u202e", "characters"),
        ("ali\u200dce", "characters"),
        ("ali\u00adce", "characters"),
        ("ali\u3164ce", "characters"),
        ("ali\ufe0fce", "characters"),
        ("ali\x00ce", "characters"),
        ("ａｌｉｃｅ", "characters"),
        ("ﬁona", "characters"),
        ("z\u0336\u0335\u0337algo", "characters"),
        ("👩🏽‍💻dev", "start"),
        ("..", "too-short"),
        ("...", "start"),
        ("-dash", "start"),
        ("аlice", "mixed-scripts"),
        ("alicе", "mixed-scripts"),
        ("ab1٢", "digits"),
        ("admin", "reserved"),
        ("Ad.Min", "reserved"),
        ("ADM1N", "reserved"),
        ("r00t", "reserved"),
        ("SECURE_MSG", "reserved"),
    ],
)
def test_attack_31_names_that_mislead_are_refused(name, reason):
    with pytest.raises(NameRefused) as refused:
        check_name(name)
    assert refused.value.detail == reason


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice", "ALICE"),
        ("alice", "  alice "),
        ("café", "cafe\u0301"),
        ("аре", "ape"),
        ("bob", "b0b"),
        ("paypal", "paypa1"),
        ("rnary", "mary"),
        ("Iris", "lris"),
        ("AII", "All"),
        ("straße", "strasse"),
        ("OOO", "000"),
        ("ΑΒΕ", "ABE"),
    ],
)
def test_attack_31_twins_have_a_skeleton_in_common(one, other):
    assert set(check_name(one).skeletons) & set(check_name(other).skeletons)


@pytest.mark.parametrize(("one", "other"), [("ali", "all"), ("anna", "anne"), ("a-b", "a_b")])
def test_names_that_look_different_are_different(one, other):
    assert not set(check_name(one).skeletons) & set(check_name(other).skeletons)


@pytest.mark.parametrize("word", RESERVED)
def test_attack_31_reserved_words_are_refused_in_every_case(word):
    for spelling in (word, word.upper(), word.title(), word.swapcase(), f"{word}.", f"{word}_"):
        with pytest.raises(NameRefused):
            check_name(spelling)


@given(st.text(max_size=40))
def test_a_name_that_may_be_had_keeps_the_rules(typed):
    try:
        name = check_name(typed)
    except NameRefused:
        return
    assert 3 <= len(name.shown) <= 32
    assert len(name.shown.encode()) <= MAX_BYTES
    assert unicodedata.normalize("NFKC", name.shown) == name.shown
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zs") for char in name.shown)
    assert all(0 < len(skeleton.encode()) <= MAX_SKELETON for skeleton in name.skeletons)
    assert check_name(name.shown) == name
    assert skeleton_of(name.shown) == name.skeleton


@given(st.text(max_size=200))
def test_every_text_has_a_skeleton_that_the_store_takes(typed):
    skeleton = skeleton_of(typed)
    assert 0 < len(skeleton.encode()) <= MAX_SKELETON
    assert skeleton_of(f" {typed} ") == skeleton


def test_scripts_are_those_of_unicode():
    assert [script(char) for char in "aαа1"] == ["LATIN", "GREEK", "CYRILLIC", "COMMON"]


@pytest.mark.parametrize("letter", ["a", "ж", "한", "あ"])
def test_thirty_two_characters_of_any_script_are_a_name(letter: str) -> None:
    assert check_name(letter * 32).shown == letter * 32
