"""Attack 7: low-order points, keys that are not reduced, wrong lengths. All lead to a refusal."""

import pytest

from secure_msg.crypto import dh, kem
from secure_msg.crypto.agreement import AgreementKey, split_public
from secure_msg.crypto.errors import CryptoError, DecryptionFailed, InvalidKey, InvalidSignature
from secure_msg.crypto.signature import ED25519, HYBRID
from tests.crypto.vector_files import load_flat, load_object, unhex

# cr.yp.to/ecdh.html#validate: the points of small order, and their spellings of 2^255-19 and more.
LOW_ORDER_X25519 = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]
Q = 3329


def _wrong(size: int) -> list[bytes]:
    return [b"", b"\x05", bytes([5]) * (size - 1), bytes([5]) * (size + 1), bytes([5]) * (2 * size)]


@pytest.mark.parametrize("encoded", LOW_ORDER_X25519)
@pytest.mark.parametrize("top_bit", [0, 0x80])
def test_attack_07_low_order_x25519_points(encoded: str, top_bit: int) -> None:
    point = bytearray(unhex(encoded))
    point[31] |= top_bit
    for seed in (bytes(32), bytes(range(32)), b"\xff" * 32):
        with pytest.raises(InvalidKey):
            dh.X25519PrivateKey(seed).agree(bytes(point))
        with pytest.raises(InvalidKey):
            AgreementKey(seed + bytes(64)).dh(bytes(point))


def test_attack_07_mlkem_keys_with_a_coefficient_of_q_or_more() -> None:
    keys = _bad_encapsulation_keys()
    x_public = dh.X25519PrivateKey(bytes(32)).public
    for key in keys:
        assert len(key) == kem.PUBLIC_SIZE
        with pytest.raises(InvalidKey):
            kem.check_mlkem1024_public(key)
        with pytest.raises(InvalidKey):
            kem.mlkem1024_encapsulate(key, bytes(32))
        with pytest.raises(InvalidKey):
            split_public(x_public + key)


def _bad_encapsulation_keys() -> list[bytes]:
    document = load_object("cctv/mlkem1024_bad_encapsulation_keys.json", keys="note ek")
    assert len(document["ek"]) == 64
    return [unhex(key) for key in document["ek"]]


@pytest.mark.parametrize("position", [0, 1, 511, 1023])
@pytest.mark.parametrize("value", [Q, Q + 1, 4095])
def test_attack_07_mlkem_key_with_one_coefficient_raised(position: int, value: int) -> None:
    good = kem.MLKEM1024PrivateKey(bytes(64)).public
    kem.check_mlkem1024_public(good)
    packed = int.from_bytes(good[:1536], "little")
    shift = 12 * position
    packed = packed & ~(0xFFF << shift) | value << shift
    with pytest.raises(InvalidKey):
        kem.check_mlkem1024_public(packed.to_bytes(1536, "little") + good[1536:])


def test_attack_07_wrong_lengths_of_agreement_keys() -> None:
    for wrong in _wrong(32):
        with pytest.raises(InvalidKey):
            dh.X25519PrivateKey(wrong)
        with pytest.raises(InvalidKey):
            dh.X25519PrivateKey(bytes(32)).agree(wrong)
    for wrong in _wrong(64):
        with pytest.raises(InvalidKey):
            kem.MLKEM1024PrivateKey(wrong)
    for wrong in _wrong(96):
        with pytest.raises(InvalidKey):
            AgreementKey(wrong)
    for wrong in _wrong(1568):
        with pytest.raises(InvalidKey):
            kem.check_mlkem1024_public(wrong)
        with pytest.raises(DecryptionFailed):
            kem.MLKEM1024PrivateKey(bytes(64)).decapsulate(wrong)
    good = AgreementKey(bytes(96)).public
    for wrong in (b"", good[:-1], good + b"\x00", good[32:]):
        with pytest.raises(InvalidKey):
            split_public(wrong)


def test_attack_07_ed25519_edge_points_never_pass() -> None:
    """A key of small order verifies anything for somebody; here it verifies nothing."""
    cases = load_flat("cctv/ed25519_edge_points.json", count=150, case="number key sig msg flags")
    edge = [case for case in cases if {"low_order_A", "low_order_R"} & set(case["flags"] or [])]
    assert len(edge) > 100
    for case in edge:
        with pytest.raises(InvalidSignature):
            ED25519.verify(unhex(case["key"]), case["msg"].encode(), unhex(case["sig"]))


def test_attack_07_ed25519_s_raised_by_the_group_order() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    key = ED25519.generate(bytes(32))
    signature = key.sign(b"message")
    raised = int.from_bytes(signature[32:], "little") + order
    with pytest.raises(InvalidSignature):
        ED25519.verify(key.public, b"message", signature[:32] + raised.to_bytes(32, "little"))


def test_attack_07_hybrid_key_with_an_ed25519_half_of_small_order() -> None:
    key = HYBRID.generate(bytes(64))
    signature = key.sign(b"message")
    identity = b"\x01" + bytes(31)
    forged = identity + bytes(32) + signature[64:]
    with pytest.raises(InvalidSignature):
        HYBRID.verify(identity + key.public[32:], b"message", forged)


def test_attack_07_refusals_carry_no_key_material() -> None:
    secret = bytes(range(100, 131))
    messages = []
    for act in (dh.X25519PrivateKey, kem.MLKEM1024PrivateKey, AgreementKey, HYBRID.generate):
        with pytest.raises(CryptoError) as caught:
            act(secret)
        messages.append(str(caught.value))
    for message in messages:
        assert secret.hex() not in message
        assert repr(secret) not in message
        assert str(len(secret)) not in message
