"""Attack 43: whoever reads sizes sees only the named classes."""

from __future__ import annotations

import random

from secure_msg.codec.messages import MAX_OVERHEAD, SEALED_OPENING_SIZE, SIZE_CLASSES, read_envelope
from secure_msg.codec.schema import from_bytes
from secure_msg.e2ee.envelope import MAX_TEXT
from tests.e2ee.test_envelope import SUITES, seal
from tests.e2ee.test_ratchet import Talk
from tests.e2ee.world import signed_text

SEED = 43
COUNT = 10_000


def test_attack_43_size_classes_of_10_000_messages() -> None:
    talk = Talk()
    first = talk.seal(talk.alice)
    assert first.opening is not None
    opening = from_bytes(type(next(iter(talk.openings.values()))), first.opening)
    assert len(opening.sealed) == SEALED_OPENING_SIZE
    talk.deliver(talk.alice, first)
    generator = random.Random(SEED)
    print(f"seed {SEED}")
    seen: set[tuple[str, int]] = set()
    headers: set[tuple[int, int, int]] = set()
    for _ in range(COUNT):
        length = int(MAX_TEXT ** generator.random()) if generator.random() < 0.9 else MAX_TEXT
        suite = generator.choice(SUITES)
        sealed = read_envelope(seal(talk, signed_text("x" * length), suite).body)
        overhead = MAX_OVERHEAD if suite == "AES-XChaCha" else 16
        seen.add((suite, len(sealed.body) - overhead))
        headers.add((len(sealed.header), len(sealed.wrap), len(sealed.commitment)))
    assert seen == {(suite, size) for suite in SUITES for size in SIZE_CLASSES}
    assert headers == {(80, 48, 32)}


def test_attack_43_texts_of_one_class_cannot_be_told_apart() -> None:
    talk = Talk()
    talk.deliver(talk.alice, talk.seal(talk.alice))
    lengths = {len(seal(talk, signed_text("x" * size)).body) for size in range(0, 200)}
    assert len(lengths) == 1
