"""PQXDH's shape with both halves of every key (docs/spec/e2ee.md section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from secure_msg.codec import cbor
from secure_msg.codec.accounts import SUITE
from secure_msg.codec.messages import (
    TYPE_HANDSHAKE,
    Handshake,
    OneTimeRef,
    UnsignedHandshake,
    read_handshake,
    session_id,
)
from secure_msg.codec.schema import from_value, to_bytes, to_value
from secure_msg.codec.statement import sign_detached, verify_detached
from secure_msg.crypto.agreement import AgreementKey as LocalKey
from secure_msg.crypto.agreement import split_public
from secure_msg.crypto.dh import X25519PrivateKey
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.kdf import hkdf_sha512
from secure_msg.crypto.kem import mlkem1024_encapsulate
from secure_msg.crypto.random import RandomBytes
from secure_msg.e2ee.errors import NeedsAccount, PeerViolation, peers_fault
from secure_msg.e2ee.identity import OwnKeys, PeerBundle, keys_of
from secure_msg.e2ee.prekeys import Prekeys, one_time_private, signed_private, spend
from secure_msg.ledger.accountchain import AccountView

_LABEL = b"securemsg/handshake/1"
_DOMAIN = b"\xff" * 32
_NO_SALT = bytes(64)


@dataclass(frozen=True, slots=True)
class SessionSecrets:
    """What both sides derive: 32 bytes each."""

    root: bytes
    header_a: bytes
    header_b: bytes
    mark: bytes
    confirm: bytes


@dataclass(frozen=True, slots=True)
class Initiated:
    """The initiator's side of a new session; `body` is the entry to append."""

    body: bytes
    session: bytes
    handshake: Handshake
    secrets: SessionSecrets


@dataclass(frozen=True, slots=True)
class Responded:
    """The responder's side. `prekeys` no longer has the one-time key: save both together."""

    session: bytes
    handshake: Handshake
    secrets: SessionSecrets
    prekey_private: bytes
    prekeys: Prekeys


@dataclass(frozen=True, slots=True)
class TranscriptKeys:
    """What the transcript covers besides the handshake itself: SHA-256 of each."""

    server: bytes
    root_a: bytes
    keys_a: bytes
    root_b: bytes
    keys_b: bytes
    prekey: bytes
    batch: bytes | None
    one_time: bytes | None


def transcript(keys: TranscriptKeys, unsigned: UnsignedHandshake) -> bytes:
    """T: the hash that the derivation and the initiator's signature are bound to."""
    parts: list[cbor.Value] = [
        keys.server,
        keys.root_a,
        keys.keys_a,
        keys.root_b,
        keys.keys_b,
        keys.prekey,
        keys.batch,
        keys.one_time,
        to_value(unsigned),
    ]
    return sha256(_LABEL, cbor.encode(parts))


def derive(dh: list[bytes], kem: list[bytes], t: bytes) -> SessionSecrets:
    """SK of the DH and KEM secrets in the order of the specification."""
    ikm = b"".join([_DOMAIN, *dh, *kem])
    out = hkdf_sha512(ikm, salt=_NO_SALT, info=_LABEL + t, length=160)
    return SessionSecrets(*(out[at : at + 32] for at in range(0, 160, 32)))


def initiate(
    own: OwnKeys,
    bundle: PeerBundle,
    *,
    thread: bytes,
    replaces: bytes,
    now: int,
    random: RandomBytes,
) -> Initiated:
    """Begin a session with the bundle's account. Raises PeerViolation for unusable keys."""
    identity = own.agreement[own.generation]
    ephemeral = X25519PrivateKey(random(32))
    with peers_fault("handshake"):
        identity_x, identity_kem = split_public(bundle.keys.agreement)
        prekey_x, prekey_kem = split_public(bundle.prekey.agreement)
        dh = [identity.dh(prekey_x), ephemeral.agree(identity_x), ephemeral.agree(prekey_x)]
        ct_identity, ss1 = mlkem1024_encapsulate(identity_kem, random(32))
        ct_prekey, ss2 = mlkem1024_encapsulate(prekey_kem, random(32))
        kem, ct_one_time = [ss1, ss2], None
        if bundle.one_time is not None:
            one_time_x, one_time_kem = split_public(bundle.one_time.key)
            dh.append(ephemeral.agree(one_time_x))
            ct_one_time, ss3 = mlkem1024_encapsulate(one_time_kem, random(32))
            kem.append(ss3)
    unsigned = UnsignedHandshake(
        suite=SUITE,
        thread=thread,
        initiator=own.account,
        responder=bundle.view.account,
        initiator_keys=own.generation,
        responder_keys=bundle.keys.generation,
        prekey=bundle.prekey.id,
        one_time=_place(bundle),
        replaces=replaces,
        ephemeral=ephemeral.public,
        ct_identity=ct_identity,
        ct_prekey=ct_prekey,
        ct_one_time=ct_one_time,
        created=now,
    )
    t = transcript(_initiators_keys(own, bundle), unsigned)
    signature = sign_detached(own.signing, TYPE_HANDSHAKE, t)
    handshake = from_value(Handshake, [*to_value(unsigned), signature])
    body = to_bytes(handshake)
    return Initiated(body, session_id(body), handshake, derive(dh, kem, t))


def respond(
    body: bytes, *, own: OwnKeys, peer: AccountView, thread: bytes, prekeys: Prekeys
) -> Responded:
    """Accept the peer's handshake.

    Raises PeerViolation; NeedsAccount when it names keys that a view at hand does not have yet.
    """
    with peers_fault("handshake"):
        handshake = read_handshake(body)
    if handshake.thread != thread:
        raise PeerViolation("handshake: another thread")
    if handshake.initiator != peer.account or handshake.responder != own.account:
        raise PeerViolation("handshake: other accounts")
    signer = keys_of(peer, handshake.initiator_keys)
    _check_own_view(own, prekeys, handshake)
    prekey_private = signed_private(prekeys, handshake.prekey)
    one_time = None
    batch = None
    if handshake.one_time is not None:
        private, batch = one_time_private(prekeys, handshake.one_time)
        one_time = LocalKey(private)
    keys = _responders_keys(own, peer, handshake, batch, one_time)
    t = transcript(keys, from_value(UnsignedHandshake, to_value(handshake)[:-1]))
    with peers_fault("handshake"):
        verify_detached(signer.signing, TYPE_HANDSHAKE, t, handshake.signature)
        secrets = _responders_secrets(
            own,
            handshake,
            initiator=signer.agreement,
            prekey_private=prekey_private,
            one_time=one_time,
            t=t,
        )
    after = prekeys if handshake.one_time is None else spend(prekeys, handshake.one_time)
    return Responded(session_id(body), handshake, secrets, prekey_private, after)


def _responders_secrets(
    own: OwnKeys,
    handshake: Handshake,
    *,
    initiator: bytes,
    prekey_private: bytes,
    one_time: LocalKey | None,
    t: bytes,
) -> SessionSecrets:
    identity = own.agreement[handshake.responder_keys]
    prekey = LocalKey(prekey_private)
    initiator_x, _ = split_public(initiator)
    ephemeral = handshake.ephemeral
    dh = [prekey.dh(initiator_x), identity.dh(ephemeral), prekey.dh(ephemeral)]
    kem = [identity.decapsulate(handshake.ct_identity), prekey.decapsulate(handshake.ct_prekey)]
    if one_time is not None and handshake.ct_one_time is not None:
        dh.append(one_time.dh(ephemeral))
        kem.append(one_time.decapsulate(handshake.ct_one_time))
    return derive(dh, kem, t)


def _check_own_view(own: OwnKeys, prekeys: Prekeys, handshake: Handshake) -> None:
    """Another browser of this account may have published keys that this one has not loaded."""
    batch = 0 if handshake.one_time is None else handshake.one_time.batch
    if (
        own.view.generation(handshake.responder_keys) is None
        or own.view.prekey(handshake.prekey) is None
        or batch >= prekeys.next_batch
        or handshake.prekey >= prekeys.next_prekey
    ):
        raise NeedsAccount(own.account, handshake.responder_keys)
    if handshake.responder_keys not in own.agreement:
        raise PeerViolation("handshake: an identity key that is no longer kept")


def _initiators_keys(own: OwnKeys, bundle: PeerBundle) -> TranscriptKeys:
    one_time = bundle.one_time
    return TranscriptKeys(
        server=own.view.server,
        root_a=sha256(own.view.root),
        keys_a=own.keys.statement,
        root_b=sha256(bundle.view.root),
        keys_b=bundle.keys.statement,
        prekey=bundle.prekey.statement,
        batch=None if one_time is None else one_time.batch.statement,
        one_time=None if one_time is None else sha256(one_time.key),
    )


def _responders_keys(
    own: OwnKeys,
    peer: AccountView,
    handshake: Handshake,
    batch: bytes | None,
    one_time: LocalKey | None,
) -> TranscriptKeys:
    prekey = own.view.prekey(handshake.prekey)
    if prekey is None:
        raise NeedsAccount(own.account, handshake.responder_keys)
    return TranscriptKeys(
        server=own.view.server,
        root_a=sha256(peer.root),
        keys_a=keys_of(peer, handshake.initiator_keys).statement,
        root_b=sha256(own.view.root),
        keys_b=keys_of(own.view, handshake.responder_keys).statement,
        prekey=prekey.statement,
        batch=batch,
        one_time=None if one_time is None else sha256(one_time.public),
    )


def _place(bundle: PeerBundle) -> OneTimeRef | None:
    if bundle.one_time is None:
        return None
    return OneTimeRef(bundle.one_time.batch.batch, bundle.one_time.index)
