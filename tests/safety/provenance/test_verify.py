"""The report says what is known, and "cannot tell" where nothing is."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn_pictures import drawing
from nonet.errors import NonetError
from nonet.safety.provenance import c2pa
from nonet.safety.provenance.decoding import decode_safely
from nonet.safety.provenance.finish import Provenance, finish
from nonet.safety.provenance.mark import fingerprint
from nonet.safety.provenance.metadata import FORMATS, PictureMeta, encode
from nonet.safety.provenance.verify import verify

META = PictureMeta(prompt="a cat", model="doodle", seed=1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> c2pa.Certificate:
    pytest.importorskip("c2pa")
    return c2pa.local_certificate(tmp_path_factory.mktemp("config"))


def says(findings: tuple[str, ...], words: str) -> bool:
    return any(words in finding for finding in findings)


@pytest.mark.parametrize("format", FORMATS)
def test_a_finished_picture_says_everything(format: str, certificate: c2pa.Certificate) -> None:
    data = finish(
        drawing(5), META, job="job 5", provenance=Provenance(certificate=certificate), format=format
    )
    report = verify(data, thorough=False)
    assert report.verdict == "nonet"
    assert [(mark.model, mark.job) for mark in report.marks] == [("doodle", f"{fingerprint('job 5'):06x}")]
    assert report.signature is not None
    assert report.signature.state == "valid"
    assert report.metadata.record is not None
    assert report.metadata.record["prompt"] == "a cat"
    assert says(report.findings, "invisible mark of Nonet (model: doodle)")
    assert says(report.findings, "local certificate of some computer")
    assert json.loads(json.dumps(report.to_dict()))["verdict"] == "nonet"


def test_a_stripped_copy_is_known_by_its_mark() -> None:
    data = finish(drawing(6), META, job="x")
    stream = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").resize((200, 200)).save(stream, "jpeg", quality=75)
    report = verify(stream.getvalue())
    assert report.verdict == "nonet"
    assert not report.metadata.says_generated
    assert len(report.marks) == 1


def test_metadata_alone_is_believed_only_as_metadata() -> None:
    report = verify(encode(drawing(7), META), thorough=False)
    assert report.verdict == "generated"
    assert report.marks == ()
    assert says(report.findings, "Anyone can write or remove metadata")


def test_a_bare_picture_is_unknown_and_never_called_genuine() -> None:
    report = verify(encode(drawing(8)), thorough=False)
    assert report.verdict == "unknown"
    assert says(report.findings, "this proves nothing")
    assert says(report.findings, "does not say where it comes from")


def test_a_changed_signed_picture_is_said_to_be_changed(certificate: c2pa.Certificate) -> None:
    bare = Provenance(mark=False, certificate=certificate)
    data = bytearray(finish(np.zeros((64, 64, 3)), PictureMeta(), job="", provenance=bare))
    place = data.index(b"trainedAlgorithmicMedia", data.index(b"iTXt"))
    data[place] ^= 32
    report = verify(bytes(data), thorough=False)
    assert report.signature is not None
    assert report.signature.state == "altered"
    assert says(report.findings, "changed after it was signed")
    assert says(report.findings, "The file is damaged")


def test_a_manifest_from_another_picture_is_said_not_to_fit(certificate: c2pa.Certificate) -> None:
    signed = c2pa.sign(encode(drawing(1, 64)), "png", META, certificate)
    start = signed.index(b"caBX") - 4
    chunk = signed[start : start + 12 + int.from_bytes(signed[start : start + 4], "big")]
    other = encode(drawing(2, 64))
    report = verify(other[:33] + chunk + other[33:], thorough=False)
    assert report.verdict == "unknown"
    assert says(report.findings, "the signature comes from another picture")


def test_a_cut_manifest_is_said_to_be_unreadable(certificate: c2pa.Certificate) -> None:
    signed = c2pa.sign(encode(drawing(1, 64)), "png", META, certificate)
    start = signed.index(b"caBX") - 4
    length = int.from_bytes(signed[start : start + 4], "big")
    half = signed[start + 8 : start + 8 + length // 2]
    cut = struct.pack(">I", len(half)) + b"caBX" + half + struct.pack(">I", zlib.crc32(b"caBX" + half))
    report = verify(signed[:start] + cut + signed[start + 12 + length :], thorough=False)
    assert report.signature is not None
    assert report.signature.state == "unreadable"
    assert report.verdict == "unknown"
    assert says(report.findings, "cannot be read")


def test_without_the_extra_the_report_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = decode_safely(encode(drawing(9)))
    unsigned = type(decoded)(**{**vars(decoded), "signature": {}})
    monkeypatch.setattr("nonet.safety.provenance.verify.decode_safely", lambda data: unsigned)
    report = verify(encode(drawing(9)), thorough=False)
    assert not report.signature_checked
    assert says(report.findings, "not looked for")


@pytest.mark.parametrize("data", [b"", b"%PDF", b"\x89PNG\r\n\x1a\n" + b"\0" * 64])
def test_what_is_no_picture_is_an_error(data: bytes) -> None:
    with pytest.raises(NonetError) as caught:
        verify(data)
    assert caught.value.code == "file_unreadable"


def test_a_small_picture_is_finished_without_a_mark(tmp_path: Path) -> None:
    report = verify(finish(drawing(3, 96), META, job="x"), thorough=False)
    assert report.verdict == "generated"
    assert report.marks == ()
