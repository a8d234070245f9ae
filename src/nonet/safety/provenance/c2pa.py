"""Signed provenance: a C2PA manifest inside the picture that says a model made it, and reading such manifests.

The certificate is the one that settings name, or a local one that is made at first use. A local one proves that two
pictures come from the same computer and that nobody has changed them since; no verifier knows who it belongs to, and
they will say "unknown signer".

Needs the `provenance` extra (c2pa-python and cryptography); without it `available()` is False and pictures carry
metadata and mark alone.
"""

from __future__ import annotations

import datetime
import io
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from nonet.errors import NonetError
from nonet.files import atomic_write
from nonet.safety.provenance.metadata import SOURCE_TYPE, PictureMeta, encode_png, nonet_version

LOCAL_NAME = "Nonet local signer"
LOCAL_ORGANIZATION = "Self-made on one computer, not a trusted authority"
_LIFE = datetime.timedelta(days=3650)
_MIMES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
# Nothing is fetched from the network, and no preview picture is put into the manifest.
_SETTINGS = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}


@dataclass(frozen=True)
class Certificate:
    """What pictures are signed with.

    Attributes:
        chain: PEM, the signer's certificate first.
        key: PEM (PKCS 8) of an ES256 key, unless `algorithm` says otherwise.
        algorithm: C2PA's name: es256, es384, es512, ps256, ps384, ps512 or ed25519.
        time_authority: address of a timestamp service, or empty for none; the only thing here that uses the network.
    """

    chain: bytes
    key: bytes
    algorithm: str = "es256"
    time_authority: str = ""


@dataclass(frozen=True)
class Signature:
    """What a picture's manifest says.

    Attributes:
        state: `valid` (whole and unchanged), `altered` (the picture or its manifest was changed, cut or copied from
            another picture), `expired` (unchanged, but the certificate is not valid now), `unreadable`.
        signer: the name in the certificate; anyone can put any name into a certificate of their own.
        issuer: the organisation in it.
        trusted: whether the certificate leads to an authority on the trust list; without a list never.
        local: whether it is a local certificate of some Nonet.
        generator: the program that claims to have made the manifest.
        says_generated: whether it says that a model made the picture.
        time: when, as signed; empty if unsaid.
        problems: C2PA's codes of what did not hold.
    """

    state: str
    signer: str = ""
    issuer: str = ""
    trusted: bool = False
    local: bool = False
    generator: str = ""
    says_generated: bool = False
    time: str = ""
    problems: tuple[str, ...] = ()


def available() -> bool:
    """Whether the `provenance` extra is installed."""
    return find_spec("c2pa") is not None and find_spec("cryptography") is not None


def config_folder() -> Path:
    """Where the user's settings for nonet live: $NONET_CONFIG, else the platform's own place."""
    given = os.environ.get("NONET_CONFIG")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "nonet"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "nonet"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "nonet"


def read_certificate(
    chain: Path, key: Path, *, algorithm: str = "es256", time_authority: str = ""
) -> Certificate:
    """The certificate that settings name.

    Raises:
        NonetError: `file_unreadable`.
    """
    try:
        return Certificate(chain.read_bytes(), key.read_bytes(), algorithm, time_authority)
    except OSError as error:
        raise NonetError("file_unreadable", f"Cannot read {error.filename}: {error.strerror}.") from error


def certificate_of_user() -> tuple[Certificate | None, str]:
    """What this user signs with, or None and why there is nothing to sign with (empty without the extra).

    $NONET_CERTIFICATE and $NONET_CERTIFICATE_KEY name the files of a certificate and its key,
    $NONET_CERTIFICATE_ALGORITHM and $NONET_TIME_AUTHORITY what `Certificate` calls so. Without them it is the local
    certificate.

    Raises:
        NonetError: `setting_invalid` or `file_unreadable`, when what the environment names cannot sign.
    """
    chain, key = os.environ.get("NONET_CERTIFICATE"), os.environ.get("NONET_CERTIFICATE_KEY")
    if chain or key:
        if not (chain and key):
            raise NonetError(
                "setting_invalid",
                "NONET_CERTIFICATE and NONET_CERTIFICATE_KEY are set together or not at all.",
            )
        algorithm = os.environ.get("NONET_CERTIFICATE_ALGORITHM") or "es256"
        certificate = read_certificate(Path(chain), Path(key), algorithm=algorithm)
        # Tried before anything is drawn, on the smallest of pictures, and without asking the time of anybody.
        sign(encode_png(Image.new("RGB", (1, 1))), "png", PictureMeta(), certificate)
        authority = os.environ.get("NONET_TIME_AUTHORITY", "")
        return replace(certificate, time_authority=authority), ""
    if not available():
        return None, ""
    try:
        return local_certificate(), ""
    except (NonetError, OSError) as error:
        # A home that cannot be written to is no reason to draw nothing.
        return None, f"The pictures are not signed: {getattr(error, 'message', None) or error}"


def local_certificate(folder: Path | None = None) -> Certificate:
    """This user's own certificate, made at first use in the settings folder; the key is readable by its user only.

    Raises:
        NonetError: `output_unwritable`, `file_unreadable`, or `setting_invalid` without the extra.
    """
    path = (folder or config_folder()) / "signing" / "local-signer.pem"
    if not path.exists():
        # Nobody else may look into the folder, so the key is private from its first byte on.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = _make_local()
        with atomic_write(path) as stream:
            stream.write(made.key + made.chain)
        os.chmod(path, 0o600)
    # One file with both, so that two programs at their first drawing cannot leave a key and a certificate that do not
    # belong together.
    both = read_certificate(path, path).chain
    end = b"-----END PRIVATE KEY-----\n"
    key, _, chain = both.partition(end)
    if not key or not chain:
        raise NonetError(
            "file_unreadable", f"{path} is damaged.", "Delete it; a new one is made at the next drawing."
        )
    return Certificate(chain, key + end)


def _make_local() -> Certificate:
    _require()
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(name: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, name),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, LOCAL_ORGANIZATION),
            ]
        )

    def usage(*, signs: bool) -> x509.KeyUsage:
        return x509.KeyUsage(signs, False, False, False, False, not signs, not signs, False, False)

    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    # C2PA takes no certificate that signed itself, so a root signs it, whose key is then forgotten.
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    built = []
    for name, public, is_root in (
        (f"{LOCAL_NAME} root", root_key.public_key(), True),
        (LOCAL_NAME, key.public_key(), False),
    ):
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(f"{LOCAL_NAME} root"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + _LIFE)
            .add_extension(x509.BasicConstraints(is_root, 0 if is_root else None), critical=True)
            .add_extension(usage(signs=not is_root), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
            )
        )
        if not is_root:
            purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(purposes, critical=False)
        built.append(builder.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Certificate(built[1] + built[0], private)


def _require() -> None:
    if not available():
        raise NonetError(
            "setting_invalid",
            "Signing pictures needs the extra packages of nonet[provenance].",
            "Install them, or draw without a signature.",
        )


def sign(
    data: bytes, format: str, meta: PictureMeta, certificate: Certificate, *, with_prompt: bool = False
) -> bytes:
    """The picture file with a signed manifest in it.

    Args:
        data: a PNG, JPEG or WebP file.
        format: png, jpeg or webp.
        meta: what is said about the picture: model, version, time; the time is now if `meta` has none.
        with_prompt: put the prompt into the manifest too.

    Raises:
        NonetError: `setting_invalid` when the certificate or key cannot sign, or the extra is missing.
    """
    _require()
    import c2pa

    when = meta.created or datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    agent = {"name": f"nonet {meta.model}".strip(), "version": meta.model_version or nonet_version()}
    action = {
        "action": "c2pa.created",
        "when": when,
        "digitalSourceType": SOURCE_TYPE,
        "softwareAgent": agent,
    }
    record = {"model": meta.model, "model_version": meta.model_version, "seed": meta.seed}
    if with_prompt:
        record |= {"prompt": meta.prompt, "negative": meta.negative}
    manifest = {
        "claim_generator_info": [{"name": "nonet", "version": nonet_version()}],
        "title": f"Picture generated by {agent['name']}",
        "format": _MIMES[format],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [action]}},
            {"label": "org.nonet.picture", "data": {k: v for k, v in record.items() if v not in (None, "")}},
        ],
    }
    result = io.BytesIO()
    try:
        algorithm = c2pa.C2paSigningAlg[certificate.algorithm.upper()]
        info = c2pa.C2paSignerInfo(
            algorithm, certificate.chain, certificate.key, certificate.time_authority.encode() or None
        )
        settings = c2pa.Settings.from_dict(_SETTINGS)
        with (
            c2pa.Signer.from_info(info) as signer,
            c2pa.Context(settings) as context,
            c2pa.Builder(manifest, context) as builder,
        ):
            builder.sign(signer, _MIMES[format], io.BytesIO(data), result)
    except (c2pa.C2paError, KeyError) as error:
        message = f"The picture cannot be signed: {str(error).splitlines()[0]}."
        raise NonetError(
            "setting_invalid", message, "Check the certificate, its key and the algorithm."
        ) from error
    return result.getvalue()


def read_signature(data: bytes, format: str) -> Signature | None:
    """What a picture's manifest says and whether it holds; None if the picture has none.

    Raises:
        NonetError: `setting_invalid` without the extra.
    """
    _require()
    import c2pa

    try:
        with (
            c2pa.Context(c2pa.Settings.from_dict(_SETTINGS)) as context,
            c2pa.Reader(_MIMES[format], io.BytesIO(data), None, context) as reader,
        ):
            found = json.loads(reader.json())
            state = str(reader.get_validation_state())
    except c2pa.C2paError as error:
        text = str(error)
        if "ManifestNotFound" in type(error).__name__ or "ManifestNotFound" in text or "no JUMBF" in text:
            return None
        return Signature("unreadable", problems=(text.splitlines()[0],))
    except ValueError as error:
        return Signature("unreadable", problems=(str(error),))
    return _signature(found, state)


def _signature(found: Mapping[str, Any], state: str) -> Signature:
    manifest = found.get("manifests", {}).get(found.get("active_manifest"), {})
    about = manifest.get("signature_info") or {}
    codes = tuple(str(status.get("code", "")) for status in found.get("validation_status") or ())
    wrong = tuple(code for code in codes if code != "signingCredential.untrusted")
    actions = [
        action
        for assertion in manifest.get("assertions", [])
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", [])
    ]
    made = [action for action in actions if action.get("action") == "c2pa.created"]
    whole = state.rsplit(".", 1)[-1].lower() in ("valid", "trusted")
    if whole:
        state = "valid"
    else:
        state = (
            "expired" if wrong and all("expired" in x or "outsideValidity" in x for x in wrong) else "altered"
        )
    issuer = str(about.get("issuer") or "")
    generator = (manifest.get("claim_generator_info") or [{}])[0]
    return Signature(
        state,
        signer=str(about.get("common_name") or ""),
        issuer=issuer,
        trusted=whole and not codes,
        local=issuer == LOCAL_ORGANIZATION,
        generator=f"{generator.get('name', '')} {generator.get('version', '')}".strip(),
        says_generated=any(action.get("digitalSourceType") == SOURCE_TYPE for action in made),
        time=str(about.get("time") or (made[0].get("when") if made else "") or ""),
        problems=wrong,
    )
