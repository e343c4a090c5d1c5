"""A self-signed certificate for 127.0.0.1, made without any package beyond the standard library."""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

_SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
_SHA256_WITH_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")
_COMMON_NAME = bytes.fromhex("550403")
_KEY_ID, _USAGE, _ALT_NAMES, _BASIC, _ISSUER_KEY = (
    bytes.fromhex("551d" + number) for number in ("0e", "0f", "11", "13", "23")
)
_SIGN_AND_SERVE = bytes.fromhex("030202a4")


def server_context(folder: Path, days: tuple[int, int] = (-1, 2)) -> tuple[ssl.SSLContext, Path]:
    """Return a context for a server, and the file with the CA that its clients have to trust.

    `days` from now it is valid, from and to.
    """
    modulus, exponent, private, factors = _rsa_key()
    info = _certificate_info(modulus, exponent, days)
    digest = _SHA256_PREFIX + hashlib.sha256(info).digest()
    length = (modulus.bit_length() + 7) // 8
    padded = b"\x00\x01" + b"\xff" * (length - len(digest) - 3) + b"\x00" + digest
    signature = pow(int.from_bytes(padded), private, modulus).to_bytes(length)
    certificate = _seq(info, _SHA256_WITH_RSA, _tlv(0x03, b"\x00" + signature))
    ca, key = folder / "ca.pem", folder / "key.pem"
    ca.write_text(_pem("CERTIFICATE", certificate))
    key.write_text(_pem("RSA PRIVATE KEY", _private_key(modulus, exponent, private, factors)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca, key)
    return context, ca


def _certificate_info(modulus: int, exponent: int, valid: tuple[int, int]) -> bytes:
    name = _seq(_tlv(0x31, _seq(_tlv(0x06, _COMMON_NAME), _tlv(0x0C, b"tests"))))
    now = datetime.now(UTC)
    stamps = (f"{now + timedelta(days=days):%y%m%d%H%M%SZ}" for days in valid)
    public = _tlv(0x03, b"\x00" + _seq(_int(modulus), _int(exponent)))
    key_id = hashlib.sha256(public).digest()[:20]
    extensions = _seq(
        _extension(_ALT_NAMES, _seq(_tlv(0x87, ip_address("127.0.0.1").packed))),
        _extension(_BASIC, _seq(_tlv(0x01, b"\xff")), critical=True),
        _extension(_USAGE, _SIGN_AND_SERVE, critical=True),
        _extension(_KEY_ID, _tlv(0x04, key_id)),
        _extension(_ISSUER_KEY, _seq(_tlv(0x80, key_id))),
    )
    return _seq(
        _tlv(0xA0, _int(2)),
        _int(1),
        _SHA256_WITH_RSA,
        name,
        _seq(*(_tlv(0x17, stamp.encode()) for stamp in stamps)),
        name,
        _seq(_RSA, public),
        _tlv(0xA3, extensions),
    )


def _extension(kind: bytes, value: bytes, *, critical: bool = False) -> bytes:
    flag = _tlv(0x01, b"\xff") if critical else b""
    return _seq(_tlv(0x06, kind), flag, _tlv(0x04, value))


def _private_key(modulus: int, exponent: int, private: int, factors: tuple[int, int]) -> bytes:
    p, q = factors
    numbers = (0, modulus, exponent, private, p, q, private % (p - 1), private % (q - 1))
    return _seq(*map(_int, numbers), _int(pow(q, -1, p)))


def _rsa_key() -> tuple[int, int, int, tuple[int, int]]:
    exponent = 65537
    p, q = _prime(1024), _prime(1024)
    return p * q, exponent, pow(exponent, -1, (p - 1) * (q - 1)), (p, q)


def _prime(bits: int) -> int:
    while True:
        number = secrets.randbits(bits) | (3 << (bits - 2)) | 1
        small = all(number % prime for prime in range(3, 2000, 2))
        if small and (number - 1) % 65537 and all(_maybe_prime(number) for _ in range(8)):
            return number


def _maybe_prime(number: int) -> bool:
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    value = pow(secrets.randbelow(number - 3) + 2, odd, number)
    if value in {1, number - 1}:
        return True
    for _ in range(twos - 1):
        value = value * value % number
        if value == number - 1:
            return True
    return False


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def _seq(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _int(number: int) -> bytes:
    return _tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1))


def _pem(label: str, content: bytes) -> str:
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"
