"""The bank's own reading of SNAP BI's signatures, written apart from the product's, so that one can catch the other."""

import base64
import hashlib
import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key


def load_keys(own_private: bytes, their_public: bytes) -> tuple[RSAPrivateKey, RSAPublicKey]:
    own, theirs = load_pem_private_key(own_private, None), load_pem_public_key(their_public)
    if not isinstance(own, RSAPrivateKey) or not isinstance(theirs, RSAPublicKey):
        raise TypeError("RSA keys are needed")
    return own, theirs


def token_request_is_theirs(key: RSAPublicKey, client: str, stamp: str, signature: str) -> bool:
    try:
        key.verify(base64.b64decode(signature), f"{client}|{stamp}".encode(), padding.PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def request_is_theirs(secret: str, path: str, token: str, body: bytes, stamp: str, signature: str) -> bool:
    return hmac.compare_digest(symmetric(secret, path, token, body, stamp).encode(), signature.encode())


def symmetric(secret: str, path: str, token: str, body: bytes, stamp: str) -> str:
    digest = hashlib.sha256(body).hexdigest().lower()
    mac = hmac.new(secret.encode(), f"POST:{path}:{token}:{digest}:{stamp}".encode(), hashlib.sha512)
    return base64.b64encode(mac.digest()).decode()


def sign(key: RSAPrivateKey, text: str) -> str:
    return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), SHA256())).decode()


def asymmetric(key: RSAPrivateKey, path: str, body: bytes, stamp: str) -> str:
    return sign(key, f"POST:{path}:{hashlib.sha256(body).hexdigest().lower()}:{stamp}")
