"""HTTP requests to addresses that others choose: only outwards, and only so much (FACTS §6.2).

The name is resolved here, every address is checked, and the connection goes to a checked address,
so that a second answer of the name server changes nothing. Redirects are not followed, proxies of
the environment are not used, and a request ends after a fixed time whatever the other side does.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import quote, urlsplit

from django.conf import settings

PORTS = (80, 443, 8080, 8443)
CONNECT_SECONDS = 3
TOTAL_SECONDS = 10
MOST_BYTES = 64 * 1024
#: How many of a host's addresses are tried.
MOST_ADDRESSES = 3

#: What of IPv6 is given out to the public, and what of it carries an IPv4 address inside.
_PUBLIC = ip_network("2000::/3")
_TUNNELS = (ip_network("2001::/32"), ip_network("2002::/16"))
_OURS = frozenset(("host", "content-length", "transfer-encoding", "connection", "user-agent"))


class Refused(Exception):
    """The address is none that may be called; the message is a sentence that says why."""


class Unreachable(Exception):
    """There was no answer; the message is a sentence that says why."""


@dataclass(frozen=True)
class Answer:
    """The answer of the other side, its body cut to so many bytes."""

    status: int
    body: str
    retry_after: str = ""


@dataclass(frozen=True)
class Target:
    """Where a request goes: a URL in its parts, with addresses that were checked."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]


def request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Send one request. Raises Refused or Unreachable."""
    target = resolve(url)
    connection = _connect(target)
    watch = threading.Timer(TOTAL_SECONDS, _cut, [connection])
    watch.start()
    try:
        connection.request(method, target.path, body or None, _clean(headers))
        response = connection.getresponse()
        read = response.read(MOST_BYTES)
        retry_after = response.getheader("Retry-After") or ""
    except (OSError, HTTPException, ValueError) as error:
        raise Unreachable(f"{target.host} gave no answer: {_said(error)}.") from error
    finally:
        watch.cancel()
        connection.close()
    text = read.decode("utf-8", "replace").replace("\0", "�")
    return Answer(response.status, text, retry_after)


def _said(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _clean(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers without those that are this module's own business."""
    kept = {
        name: text.encode("utf-8").decode("latin-1")
        for name, text in headers.items()
        if name.lower() not in _OURS
    }
    return {**kept, "User-Agent": "Journeys", "Connection": "close"}


# where to


def resolve(url: str) -> Target:
    """The target of a URL. Raises Refused, or Unreachable where the name can't be resolved."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
        host = host.encode("ascii" if ":" in host else "idna").decode()
    except ValueError as error:
        raise Refused("The address can't be read.") from error
    if parts.scheme not in ("http", "https"):
        raise Refused("The address must start with https:// or http://.")
    if not host or parts.username is not None or parts.password is not None:
        raise Refused("The address must name a host, and no user.")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    allowed = _is_allowed(host, port)
    if not allowed and port not in PORTS:
        raise Refused(f"Port {port} may not be called; {', '.join(map(str, PORTS))} may.")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        path += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]")
    addresses = _addresses(host, port)
    if not allowed and not all(map(may_be_called, addresses)):
        raise Refused(f"{host} lies in a network that may not be called.")
    return Target(parts.scheme, host, port, path, addresses[:MOST_ADDRESSES])


def _is_allowed(host: str, port: int) -> bool:
    """Whether the operator permits this host whatever its address: ``host`` or ``host:port``."""
    allowed = {str(one).lower() for one in settings.WEBHOOK_ALLOW_HOSTS}
    return bool(allowed & {host, f"{host}:{port}"})


def _addresses(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"There is no address for {host}.") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def may_be_called(address: str) -> bool:
    """Whether an IP address is one of the public internet, also inside an IPv6 one."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.split("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if isinstance(ip, IPv6Address) and (
        ip not in _PUBLIC or any(ip in network for network in _TUNNELS)
    ):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


# how


class _Pinned(HTTPConnection):
    """A connection to a checked address, whatever the host's name resolves to by now."""

    address = ""

    def connect(self) -> None:
        self.sock = socket.create_connection((self.address, self.port), CONNECT_SECONDS)
        self.sock.settimeout(TOTAL_SECONDS)


class _PinnedTls(HTTPSConnection):
    """The same with TLS: the certificate must be that of the host's name."""

    address = ""

    def connect(self) -> None:
        plain = socket.create_connection((self.address, self.port), CONNECT_SECONDS)
        plain.settimeout(TOTAL_SECONDS)
        try:
            self.sock = _tls().wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _connect(target: Target) -> HTTPConnection:
    """A connection to the first of the addresses that answers."""
    problem: Exception | None = None
    for address in target.addresses:
        kind = _PinnedTls if target.scheme == "https" else _Pinned
        connection = kind(target.host, target.port)
        connection.address = address
        try:
            connection.connect()
        except (OSError, ValueError) as error:
            problem = error
        else:
            return connection
    reason = _said(problem) if problem else "it has no address"
    raise Unreachable(f"{target.host} could not be reached: {reason}.") from problem


def _cut(connection: HTTPConnection) -> None:
    """End a connection whose time is up, also while it is being read."""
    try:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
