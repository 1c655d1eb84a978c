"""Access tokens, signed with HS256 (RFC 7519, RFC 9068)."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from pathlib import Path

LIFETIME_S = 6 * 3600


def mint(secret: str, user: str, shape: str = "own", *, expires_in_s: int = LIFETIME_S) -> str:
    """Mint one token.

    `own` has every claim that Lychgate asks of its own tokens; the limit and the other peers get the same.
    `plain` has `sub` and `exp` alone: the FastAPI guide's check refuses an `aud` that it was not told of.
    """
    now = int(time.time())
    claims: dict[str, object] = {"sub": user, "exp": now + expires_in_s}
    header = {"alg": "HS256", "typ": "JWT"}
    if shape == "own":
        header["typ"] = "at+jwt"
        claims |= {
            "iat": min(now, now + expires_in_s),
            "iss": "lychgate",
            "aud": "lychgate",
            "jti": str(uuid.uuid4()),
            "sid": str(uuid.uuid4()),
        }
    signed = f"{_part(header)}.{_part(claims)}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64(signature)}"


def mint_file(path: Path, secret: str, shape: str, count: int) -> Path:
    """Write tokens of `count` different users, one per line."""
    path.write_text("".join(f"{mint(secret, f'user{number}', shape)}\n" for number in range(count)))
    return path


def _part(value: object) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
