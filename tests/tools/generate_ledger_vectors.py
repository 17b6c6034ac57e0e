"""Writes tests/vectors/project/ledger.json.

Run from the repository's root: `python -m tests.tools.generate_ledger_vectors`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from secure_msg.codec.errors import CodecError
from secure_msg.codec.proofs import (
    HeadProof,
    MapLeaf,
    MapProof,
    Receipt,
    Restoration,
    RestoredStatement,
)
from secure_msg.codec.schema import to_bytes
from secure_msg.crypto.errors import CryptoError
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.signature import ED25519, ML_DSA_65
from secure_msg.ledger import map as sparse
from secure_msg.ledger import merkle
from secure_msg.ledger.chain import ChainHeader, ChainState, Head, read_header, verify_page
from secure_msg.ledger.checkpoint import sign_checkpoint, verify_checkpoint
from secure_msg.ledger.errors import LedgerError
from secure_msg.ledger.map import SparseMap
from secure_msg.ledger.receipt import verify_head, verify_receipt
from secure_msg.ledger.restored import sign_restored, verify_restoration
from tests.ledger.simulated import ORIGIN, SimulatedLedger, busy_ledger, chain_id

PATH = Path(__file__).parent.parent / "vectors" / "project" / "ledger.json"


def _refused(step: Callable[..., object], *arguments: object) -> str:
    """The class of the error; a step that is not refused is a fault of this script."""
    try:
        step(*arguments)
    except (LedgerError, CodecError, CryptoError) as error:
        return type(error).__name__
    raise ValueError("this should be refused")


def _hex(path: Any) -> list[str]:
    return [item.hex() for item in path]


def _chains(ledger: SimulatedLedger) -> list[dict[str, Any]]:
    result = []
    for number in (0, 1, 6):
        state = ChainState.start(chain_id(number))
        heads = [state.head]
        for header in ledger.headers[chain_id(number)]:
            state = state.next(read_header(header))
            heads.append(state.head)
        result.append(
            {
                "id": f"chain {number}",
                "chain": chain_id(number).hex(),
                "headers": _hex(ledger.headers[chain_id(number)]),
                "roots": [head.root.hex() for head in heads],
            }
        )
    return result


def _chain_refusals(ledger: SimulatedLedger) -> list[dict[str, Any]]:
    chain = chain_id(0)
    headers = ledger.headers[chain]
    head, node = ledger.head(chain), ledger.trees[chain].node
    fourth = read_header(headers[3])
    late, other = replace(fourth, time=0), replace(fourth, kind="other")
    path = merkle.consistency_path(5, 11, node)
    cases: list[tuple[str, list[bytes], Head, tuple[bytes, ...]]] = [
        ("one dropped", headers[:3] + headers[4:], head, ()),
        ("first dropped", headers[1:], head, ()),
        ("two swapped", [*headers[:3], headers[4], headers[3], *headers[5:]], head, ()),
        ("one repeated", [*headers[:4], headers[3], *headers[4:]], head, ()),
        ("of another chain", [*headers[:1], ledger.headers[chain_id(1)][1]], head, ()),
        ("time goes back", [*headers[:3], to_bytes(late), *headers[4:]], head, ()),
        ("one altered", [*headers[:3], to_bytes(other), *headers[4:]], head, ()),
        ("more than the head", headers, Head(10, head.root), ()),
        ("last dropped, no path", headers[:-1], head, ()),
        ("half a page, path cut", headers[:5], head, path[:-1]),
        (
            "half a page of a fork",
            [*headers[:4], to_bytes(replace(read_header(headers[4]), length=1))],
            head,
            path,
        ),
        ("header with a trailing byte", [headers[0] + b"\x00"], head, ()),
        ("kind empty", [to_bytes(fourth).replace(b"\x67message", b"\x60")], head, ()),
    ]
    return [
        {
            "id": name,
            "chain": chain.hex(),
            "headers": _hex(page),
            "size": expected.size,
            "root": expected.root.hex(),
            "consistency": _hex(consistency),
            "error": _refused(_follow, chain, page, expected, consistency),
        }
        for name, page, expected, consistency in cases
    ]


def _follow(chain: bytes, page: list[bytes], head: Head, path: tuple[bytes, ...]) -> None:
    verify_page(ChainState.start(chain), [read_header(header) for header in page], head, path)


def _pages(ledger: SimulatedLedger) -> list[dict[str, Any]]:
    chain = chain_id(0)
    head, node = ledger.head(chain), ledger.trees[chain].node
    return [
        {
            "id": f"first {size} of {head.size}",
            "chain": chain.hex(),
            "headers": _hex(ledger.headers[chain][:size]),
            "size": head.size,
            "root": head.root.hex(),
            "consistency": _hex(merkle.consistency_path(size, head.size, node)),
        }
        for size in range(1, head.size + 1)
    ]


def _map() -> dict[str, Any]:
    proofs, refusals = [], []
    near = {bytes(31) + bytes([i]): sha256(bytes([i])) for i in (0, 1, 3, 255)}
    far = {sha256(bytes([i])): sha256(b"v", bytes([i])) for i in range(60)}
    for name, leaves in (
        ("empty", {}),
        ("one", dict([*far.items()][:1])),
        ("near", near),
        ("many", near | far),
    ):
        tree = SparseMap(leaves.items())
        asked = [*list(leaves)[:6], bytes(31) + b"\x02", sha256(b"absent"), b"\xff" * 32]
        proofs += [
            {
                "id": f"{name} {number}",
                "root": tree.root.hex(),
                "label": label.hex(),
                "value": value.hex() if (value := leaves.get(label)) else None,
                "proof": to_bytes(tree.prove(label)).hex(),
            }
            for number, label in enumerate(asked)
        ]
    tree = SparseMap((near | far).items())
    label, value = list(far.items())[5]
    proof, absent = tree.prove(label), sha256(b"absent")
    not_there = next(
        p for i in range(99) if (p := tree.prove(absent := sha256(b"gone", bytes([i])))).other
    )
    assert not_there.other is not None
    cases: list[tuple[str, bytes, bytes | None, MapProof]] = [
        ("another value", label, sha256(b"x"), proof),
        ("another label", sha256(b"x"), value, proof),
        ("inclusion with another leaf", label, value, replace(proof, other=MapLeaf(label, value))),
        (
            "absent though present, itself as the other",
            label,
            None,
            replace(proof, other=MapLeaf(label, value)),
        ),
        ("absent though present, empty", label, None, proof),
        (
            "absent by a leaf from elsewhere",
            label,
            None,
            replace(tree.prove(list(far)[7]), other=MapLeaf(*list(far.items())[7])),
        ),
        ("sibling dropped", label, value, replace(proof, siblings=proof.siblings[:-1])),
        ("sibling added", label, value, replace(proof, siblings=(*proof.siblings, sha256(b"x")))),
        ("last sibling empty", label, value, replace(proof, siblings=(*proof.siblings, None))),
        (
            "zeros for an empty sibling",
            bytes(32),
            near[bytes(32)],
            _with_zeros(tree.prove(bytes(32))),
        ),
        (
            "other leaf altered",
            absent,
            None,
            replace(not_there, other=MapLeaf(not_there.other.label, sha256(b"x"))),
        ),
        ("other leaf left out", absent, None, replace(not_there, other=None)),
        ("present though absent", absent, sha256(b"x"), replace(not_there, other=None)),
    ]
    for name, asked_label, claimed, forged in cases:
        refusals.append(
            {
                "id": name,
                "root": tree.root.hex(),
                "label": asked_label.hex(),
                "value": claimed.hex() if claimed else None,
                "proof": to_bytes(forged).hex(),
                "error": _refused(_verify_map, tree.root, asked_label, claimed, forged),
            }
        )
    return {"map_proofs": proofs, "map_refusals": refusals}


def _with_zeros(proof: MapProof) -> MapProof:
    if None not in proof.siblings:
        raise ValueError("a proof with an empty sibling is needed")
    return replace(proof, siblings=tuple(bytes(32) if s is None else s for s in proof.siblings))


def _verify_map(root: bytes, label: bytes, value: bytes | None, proof: MapProof) -> None:
    if value is None:
        sparse.verify_absent(root, label, proof)
    else:
        sparse.verify_included(root, label, value, proof)


def _checkpoints(ledger: SimulatedLedger) -> dict[str, Any]:
    good = ledger.checkpoint().decode()
    text, _, lines = good.partition("\n\n")
    ed_line, ml_line = lines.splitlines()
    other = SimulatedLedger(bytes([6]) * 64)
    size, root = ledger.log.frontier.size, ledger.log.frontier.root()
    foreign = sign_checkpoint(
        ORIGIN, size, root, ed25519=other.ed25519, ml_dsa_65=other.ml_dsa_65
    ).decode()
    foreign_ed, foreign_ml = foreign.partition("\n\n")[2].splitlines()
    larger = sign_checkpoint(
        ORIGIN, size + 1, root, ed25519=ledger.ed25519, ml_dsa_65=ledger.ml_dsa_65
    ).decode()
    larger_ml = larger.splitlines()[-1]
    elsewhere = sign_checkpoint(
        "chat.example/other", size, root, ed25519=ledger.ed25519, ml_dsa_65=ledger.ml_dsa_65
    ).decode()

    def note(*signatures: str, body: str = text) -> str:
        return body + "\n\n" + "".join(line + "\n" for line in signatures)

    origin, digits, root_line = text.split("\n")
    bad: list[tuple[str, str]] = [
        ("no ML-DSA-65 line", note(ed_line)),
        ("no Ed25519 line", note(ml_line)),
        ("both by another server", note(foreign_ed, foreign_ml)),
        ("ML-DSA-65 line of another size", note(ed_line, larger_ml)),
        ("Ed25519 line twice", note(ed_line, ml_line, ed_line)),
        ("of another origin", elsewhere),
        ("size changed", note(ed_line, ml_line, body=f"{origin}\n{int(digits) + 1}\n{root_line}")),
        (
            "size with a leading zero",
            note(ed_line, ml_line, body=f"{origin}\n0{digits}\n{root_line}"),
        ),
        (
            "size beyond 53 bits",
            note(ed_line, ml_line, body=f"{origin}\n9007199254740992\n{root_line}"),
        ),
        ("extension line", note(ed_line, ml_line, body=text + "\nmore")),
        ("root without padding", note(ed_line, ml_line, body=text.rstrip("="))),
        (
            "root not canonical",
            note(ed_line, ml_line, body=text[:-2] + chr(ord(text[-2]) + 1) + "="),
        ),
        ("hyphen for the dash", note("-" + ed_line[1:], ml_line)),
        ("two spaces", note(ed_line.replace(" ", "  ", 1), ml_line)),
        ("malformed line of another key", note(ed_line, ml_line, "— someone else AAAA")),
        ("signature line without signature", note(ed_line, ml_line, "— someone AAAAAA==")),
        ("no newline at the end", good[:-1]),
        ("empty line at the end", good + "\n"),
        ("carriage returns", good.replace("\n", "\r\n")),
        ("no signatures", text + "\n"),
        ("17 lines", note(ed_line, ml_line, *[f"— w{i} AAAAAAAA" for i in range(15)])),
        ("nothing", ""),
    ]
    return {
        "checkpoints": [
            {"id": "good", "note": good, **_signed(ledger)},
            {
                "id": "with a witness",
                "note": note("— witness.example AAAAAAAA", ed_line, foreign_ml, ml_line),
                **_signed(ledger),
            },
            {
                "id": "16 lines",
                "note": note(ed_line, ml_line, *[f"— w{i} AAAAAAAA" for i in range(14)]),
                **_signed(ledger),
            },
        ],
        "checkpoint_refusals": [
            {
                "id": name,
                "note": data,
                "error": _refused(verify_checkpoint, data.encode(), ORIGIN, ledger.public),
            }
            for name, data in bad
        ],
    }


def _signed(ledger: SimulatedLedger) -> dict[str, Any]:
    return {"size": ledger.log.frontier.size, "root": ledger.log.frontier.root().hex()}


def _receipts(ledger: SimulatedLedger) -> dict[str, Any]:
    chain = chain_id(1)
    good, other = ledger.receipt(chain, 3), ledger.receipt(chain_id(2), 1)
    header = read_header(good.header)
    older = _older_leaf(ledger, good)
    bad: list[tuple[str, Receipt]] = [
        ("header altered", replace(good, header=to_bytes(replace(header, time=header.time + 1)))),
        ("header of another sequence", replace(good, header=to_bytes(replace(header, sequence=2)))),
        ("header malformed", replace(good, header=good.header + b"\x00")),
        ("sequence beyond the chain", replace(good, chain_size=3)),
        ("chain size changed", replace(good, chain_size=good.chain_size + 1)),
        ("chain path cut", replace(good, chain_path=good.chain_path[:-1])),
        ("chain path longer", replace(good, chain_path=(*good.chain_path, bytes(32)))),
        ("map proof of another chain", replace(good, map_proof=other.map_proof)),
        ("map proof of absence", replace(good, map_proof=ledger.map.prove(sha256(b"x")))),
        ("log leaf of another commit", replace(good, log_leaf=ledger.log_leaves[4])),
        ("genesis leaf", replace(good, log_leaf=ledger.log_leaves[0])),
        (
            "log leaf's time changed",
            replace(good, log_leaf=good.log_leaf[:15] + b"\x01" + good.log_leaf[16:]),
        ),
        ("log index changed", replace(good, log_index=good.log_index - 1)),
        ("log path cut", replace(good, log_path=good.log_path[:-1])),
        ("checkpoint before the leaf", replace(good, checkpoint=_old_checkpoint(ledger))),
        ("checkpoint empty", replace(good, checkpoint=b"")),
        ("checkpoint of another server", replace(good, checkpoint=_foreign_checkpoint(ledger))),
    ]
    head = ledger.head_proof(chain)
    absent = ledger.head_proof(chain_id(99))
    bad_heads: list[tuple[str, HeadProof]] = [
        ("root changed", replace(head, root=sha256(b"x"))),
        ("size changed", replace(head, size=head.size - 1)),
        ("of another chain", replace(head, chain=chain_id(2))),
        ("present chain shown absent", replace(head, size=0, root=merkle.EMPTY_ROOT)),
        ("absent chain with a root", replace(absent, root=sha256(b"x"))),
        ("absent chain shown present", replace(absent, size=1, root=sha256(b"x"))),
        ("not of the newest leaf", older),
    ]
    return {
        "receipts": [
            {"id": f"entry {n}", "receipt": to_bytes(r).hex(), **_shown(r)}
            for n, r in ((3, good), (1, other))
        ],
        "receipt_refusals": [
            {
                "id": name,
                "receipt": to_bytes(r).hex(),
                "error": _refused(verify_receipt, r, ledger.public, ORIGIN),
            }
            for name, r in bad
        ],
        "heads": [
            {"id": name, "proof": to_bytes(p).hex(), **_log_shown(p)}
            for name, p in (("present", head), ("absent", absent))
        ],
        "head_refusals": [
            {
                "id": name,
                "proof": to_bytes(p).hex(),
                "error": _refused(verify_head, p, ledger.public, ORIGIN),
            }
            for name, p in bad_heads
        ],
    }


def _restorations() -> dict[str, Any]:
    ledger = busy_ledger()
    index = ledger.log.frontier.size
    statement = ledger.restore()
    head = ledger.head_proof(chain_id(1))
    ledger.commit()
    good = ledger.restoration(index, statement)
    other = SimulatedLedger(bytes([7]) * 64)
    foreign = sign_restored(other.signing, ledger.restored())
    flipped = statement[:-1] + bytes([statement[-1] ^ 1])
    bad = [
        ("statement altered", replace(good, statement=flipped)),
        ("statement of another server, leaf unchanged", replace(good, statement=foreign)),
        ("index changed", replace(good, log_index=index - 1)),
        ("path cut", replace(good, log_path=good.log_path[:-1])),
        ("leaf of a commit", replace(good, log_leaf=ledger.log_leaves[index - 1])),
        ("leaf's time changed", replace(good, log_leaf=_later(good.log_leaf))),
    ]
    return {
        "restored_head": {"proof": to_bytes(head).hex(), **_log_shown(head)},
        "restorations": [
            {
                "id": "good",
                "restoration": to_bytes(good).hex(),
                "checkpoint": ledger.checkpoint().decode(),
                "said": to_bytes(_verified(ledger, good)).hex(),
            }
        ],
        "restoration_refusals": [
            _refused_restoration(name, ledger, restoration) for name, restoration in bad
        ]
        + [_refused_lie(name, **changes) for name, changes in LIES],
    }


LIES: list[tuple[str, dict[str, Any]]] = [
    ("of another server", {"server": bytes(32)}),
    ("of another size", {"size": 3}),
    ("of another time", {"time": 5}),
]


def _refused_lie(name: str, **changes: Any) -> dict[str, Any]:
    """Signed and in the log, and not what it should say."""
    ledger = busy_ledger()
    index = ledger.log.frontier.size
    statement = ledger.restore(ledger.restored(**changes))
    return _refused_restoration(name, ledger, ledger.restoration(index, statement))


def _refused_restoration(
    name: str, ledger: SimulatedLedger, restoration: Restoration
) -> dict[str, Any]:
    return {
        "id": name,
        "restoration": to_bytes(restoration).hex(),
        "checkpoint": ledger.checkpoint().decode(),
        "error": _refused(_verified, ledger, restoration),
    }


def _verified(ledger: SimulatedLedger, restoration: Restoration) -> RestoredStatement:
    checkpoint = verify_checkpoint(ledger.checkpoint(), ORIGIN, ledger.public)
    return verify_restoration(restoration, checkpoint, ledger.public, ledger.id)


def _later(leaf: bytes) -> bytes:
    return leaf[:15] + bytes([leaf[15] ^ 1]) + leaf[16:]


def _older_leaf(ledger: SimulatedLedger, receipt: Receipt) -> HeadProof:
    """A head that was right, under a newer checkpoint."""
    chain = read_header(receipt.header).chain
    proof = ledger.head_proof(chain)
    later = SimulatedLedger(bytes([5]) * 64)
    for leaf in [*ledger.log_leaves[1:], ledger.log_leaves[-1]]:
        later.log.append(merkle.leaf_hash(leaf))
    path = merkle.inclusion_path(proof.log_index, proof.log_index + 2, later.log.node)
    return replace(proof, log_path=path, checkpoint=later.checkpoint())


def _old_checkpoint(ledger: SimulatedLedger) -> bytes:
    tree = merkle.EMPTY
    for leaf in ledger.log_leaves[:5]:
        tree = tree.append(merkle.leaf_hash(leaf))
    return sign_checkpoint(
        ORIGIN, 5, tree.root(), ed25519=ledger.ed25519, ml_dsa_65=ledger.ml_dsa_65
    )


def _foreign_checkpoint(ledger: SimulatedLedger) -> bytes:
    keys = {
        "ed25519": ED25519.generate(bytes([7]) * 32),
        "ml_dsa_65": ML_DSA_65.generate(bytes([7]) * 32),
    }
    return sign_checkpoint(ORIGIN, ledger.log.frontier.size, ledger.log.frontier.root(), **keys)


def _log_shown(proof: Receipt | HeadProof) -> dict[str, Any]:
    return {"log_size": proof.log_index + 1, "time": int.from_bytes(proof.log_leaf[8:16], "big")}


def _shown(receipt: Receipt) -> dict[str, Any]:
    header: ChainHeader = read_header(receipt.header)
    return {
        "chain": header.chain.hex(),
        "sequence": header.sequence,
        "chain_size": receipt.chain_size,
        **_log_shown(receipt),
    }


def _contents(ledger: SimulatedLedger) -> list[dict[str, Any]]:
    chain, body = chain_id(0), b"body 0 0"
    header, salt = ledger.headers[chain][0], ledger.salt(chain, 0)
    cases = [
        ("good", salt, body, None),
        ("another body", salt, b"body 0 1", "ContentMismatch"),
        ("longer body", salt, body + b"x", "ContentMismatch"),
        ("another salt", sha256(salt), body, "ContentMismatch"),
        ("bytes moved from body to salt", salt + body[:1], body[1:], "ContentMismatch"),
    ]
    return [
        {"id": name, "header": header.hex(), "salt": s.hex(), "body": b.hex(), "error": error}
        for name, s, b, error in cases
    ]


def vectors() -> dict[str, Any]:
    ledger = busy_ledger()
    chain, root = chain_id(0), sha256(b"root")
    return {
        "note": "docs/spec/ledger.md; hex, notes as text",
        "origin": ORIGIN,
        "server": ledger.public.hex(),
        "labels": {
            "chain": chain.hex(),
            "chain_label": sparse.chain_label(chain).hex(),
            "size": 2**40 + 1,
            "root": root.hex(),
            "head_value": sparse.head_value(2**40 + 1, root).hex(),
            "salt": chain_id(1).hex(),
            "skeleton": "älicе",
            "name_label": sparse.name_label(chain_id(1), "älicе").hex(),
            "name_value": sparse.name_value(chain).hex(),
        },
        "genesis": ledger.log_leaves[0].hex(),
        "leaf": ledger.log_leaves[-1].hex(),
        "chains": _chains(ledger),
        "pages": _pages(ledger),
        "chain_refusals": _chain_refusals(ledger),
        "contents": _contents(ledger),
        **_map(),
        **_checkpoints(ledger),
        **_receipts(ledger),
        **_restorations(),
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n")
