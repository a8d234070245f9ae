"""Who asks: an API key if one is sent, else the address, hashed."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from fastapi import Request

from nonet.errors import NonetError
from nonet.service.records import PRIORITIES, Caller, Priority

if TYPE_CHECKING:
    from nonet.service.services import Services
    from nonet.service.settings import Settings

_SHA = "sha256="
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class ApiKey:
    """A key as the site keeps it: the hash alone."""

    name: str
    digest: bytes
    priority: Priority


class Callers:
    """Tells callers apart.

    Args:
        settings: keys, admin token, trusted proxies.
        salt: of this site, so that a hash does not give an address away.

    Raises:
        NonetError: `config_invalid`.
    """

    def __init__(self, settings: Settings, salt: bytes) -> None:
        self._salt = salt
        self._keys = [_read_key(key.get_secret_value()) for key in settings.api_keys]
        token = settings.admin_token.get_secret_value()
        self._admin = hashlib.sha256(token.encode()).digest() if token else None
        try:
            self._proxies = [ipaddress.ip_network(proxy, strict=False) for proxy in settings.trusted_proxies]
        except ValueError as error:
            raise NonetError("config_invalid", f"trusted_proxies: {error}.", "Write 10.0.0.0/8.") from None

    def of(self, request: Request) -> Caller:
        """The caller of a request.

        Raises:
            NonetError: `key_unknown` if the site has keys and this is none of them.
        """
        secret = _bearer(request) or request.headers.get("x-api-key", "")
        if secret:
            if self.is_admin_secret(secret):
                return Caller("admin", "admin", "high")
            found = self._key(secret)
            if found is not None:
                return Caller(f"key:{found.name}", "key", found.priority)
            # A site without keys takes no notice: many clients send a key whether one is wanted or not.
            if self._keys:
                raise NonetError(
                    "key_unknown", "This API key is not known here.", "Send a valid one, or none."
                )
        return Caller(self.hashed(self.address(request)), "anonymous")

    def is_admin(self, request: Request) -> bool:
        """Whether the admin token came along, as a bearer token or as the password of Basic authentication."""
        return self.is_admin_secret(_bearer(request) or _password(request))

    def is_admin_secret(self, secret: str) -> bool:
        """Whether this is the admin token; takes equally long for every wrong one."""
        digest = hashlib.sha256(secret.encode("utf-8", "replace")).digest()
        return self._admin is not None and hmac.compare_digest(digest, self._admin)

    def address(self, request: Request) -> str:
        """The client's address; what a proxy says of it is believed of trusted proxies alone."""
        address = request.client.host if request.client else "unknown"
        forwarded = [part.strip() for part in ",".join(request.headers.getlist("x-forwarded-for")).split(",")]
        # From the right: each was written by the one after it, so the first that is no proxy of ours is the client.
        for part in reversed([part for part in forwarded if part]):
            if not self._trusted(address):
                break
            address = part
        return address

    def hashed(self, address: str) -> str:
        """A caller id that says nothing about the address; IPv6 by its /64, which is one customer's."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            name = address
        else:
            mapped = getattr(ip, "ipv4_mapped", None)
            ip = mapped or ip
            name = str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))
        return "ip:" + hmac.new(self._salt, name.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]

    def _trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip.version == network.version and ip in network for network in self._proxies)

    def _key(self, secret: str) -> ApiKey | None:
        digest = hashlib.sha256(secret.encode("utf-8", "replace")).digest()
        found = None
        for key in self._keys:
            # All are compared, so that the time does not say which came near.
            if hmac.compare_digest(digest, key.digest):
                found = key
        return found


def _read_key(text: str) -> ApiKey:
    name, _, rest = text.partition(":")
    secret, _, priority = rest.rpartition(":")
    if priority not in PRIORITIES:
        secret, priority = rest, "normal"
    if not name or not secret:
        raise NonetError(
            "config_invalid", "An entry of api_keys is no name:key.", "Write name:key or name:key:low."
        )
    try:
        digest = bytes.fromhex(secret.removeprefix(_SHA)) if secret.startswith(_SHA) else b""
    except ValueError:
        digest = b"?"
    if digest and len(digest) != 32:
        raise NonetError("config_invalid", f"api_keys: {name} has no 64 hexadecimal digits after {_SHA}.")
    return ApiKey(name, digest or hashlib.sha256(secret.encode()).digest(), cast("Priority", priority))


def _bearer(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _password(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(value.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


async def caller_of(request: Request) -> Caller:
    """FastAPI dependency: who asks. It waits for nothing, so it need not go through a thread as a `def` would.

    Raises:
        NonetError: `key_unknown`.
    """
    services = cast("Services", request.app.state.services)
    return services.callers.of(request)
