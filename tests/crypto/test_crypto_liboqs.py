"""liboqs: the probe never reaches the package without the library; cross-checks where it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from secure_msg.crypto.errors import InvalidSignature, Unavailable
from secure_msg.crypto.falcon import Falcon1024
from secure_msg.crypto.providers import liboqs
from secure_msg.crypto.signature import FALCON_1024, SLH_DSA_SHAKE_128F, SLH_DSA_SHAKE_256F
from secure_msg.crypto.slhdsa import SlhDsa


@pytest.fixture(name="library", scope="module")
def _library() -> liboqs.LibOqs:
    try:
        return liboqs.load(os.environ)
    except Unavailable as error:
        pytest.skip(f"liboqs cross-checks did not run: {error}")


def test_probe_looks_where_the_package_looks(tmp_path: Path) -> None:
    places = liboqs.candidates({"OQS_INSTALL_PATH": str(tmp_path)})
    assert places[-2:] == [str(tmp_path / "lib/liboqs.so"), str(tmp_path / "lib64/liboqs.so")]
    at_home = liboqs.candidates({})
    assert at_home[-2:] == [str(Path.home() / "_oqs" / x / "liboqs.so") for x in ("lib", "lib64")]


def test_probe_refuses_what_is_not_liboqs(tmp_path: Path) -> None:
    not_a_library = tmp_path / "liboqs.so"
    not_a_library.write_bytes(b"not an ELF file")
    libc = "libc.so.6"
    assert liboqs.probe([str(not_a_library), str(tmp_path / "absent.so"), libc]) is None
    assert liboqs.probe([]) is None


def test_without_the_library_the_package_is_not_imported(tmp_path: Path) -> None:
    if liboqs.probe(liboqs.candidates({"OQS_INSTALL_PATH": str(tmp_path)})) is not None:
        pytest.skip("liboqs is installed system-wide, so its absence cannot be tested")
    program = (
        "import os, sys\n"
        "from secure_msg.crypto.errors import Unavailable\n"
        "from secure_msg.crypto.providers import liboqs\n"
        "try:\n"
        "    liboqs.load(os.environ)\n"
        "except Unavailable as error:\n"
        "    print(error, 'oqs' in sys.modules)\n"
    )
    environment = {**os.environ, "OQS_INSTALL_PATH": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
        env=environment,
    )
    assert result.stdout == "the liboqs library was not found False\n"
    assert result.stderr == ""


def test_falcon_agrees_both_ways(library: liboqs.LibOqs) -> None:
    theirs = Falcon1024(library.signature(liboqs.FALCON_1024))
    stored = theirs.new_private()
    for signer, verifier in ((theirs, FALCON_1024), (FALCON_1024, theirs)):
        key = signer.generate(stored)
        signature = key.sign(b"message")
        verifier.verify(key.public, b"message", signature)
        with pytest.raises(InvalidSignature):
            verifier.verify(key.public, b"massage", signature)


@pytest.mark.parametrize(
    ("ours", "name"),
    [
        (SLH_DSA_SHAKE_128F, liboqs.SLH_DSA_SHAKE_128F),
        (SLH_DSA_SHAKE_256F, liboqs.SLH_DSA_SHAKE_256F),
    ],
    ids=["128f", "256f"],
)
def test_slhdsa_agrees_both_ways(library: liboqs.LibOqs, ours: SlhDsa, name: str) -> None:
    theirs = SlhDsa(ours.name, ours.public_size, ours.signature_size, library.signature(name))
    stored = theirs.new_private()
    for signer, verifier in ((theirs, ours), (ours, theirs)):
        key = signer.generate(stored)
        for context in (b"", b"context"):
            signature = key.sign(b"message", context)
            verifier.verify(key.public, b"message", signature, context)
            with pytest.raises(InvalidSignature):
                verifier.verify(key.public, b"massage", signature, context)


def test_a_mechanism_that_was_not_built_is_unavailable(library: liboqs.LibOqs) -> None:
    with pytest.raises(Unavailable):
        library.signature("No-Such-Mechanism")
