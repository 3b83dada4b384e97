"""Ed25519 for tests of the kernel, which signs nothing itself."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from esaa.kernel.checkpoint import (
    COSIGNATURE,
    ED25519,
    Checkpoint,
    Note,
    Signature,
    VerifierKey,
    body,
    cosignature_message,
    key_id,
)


class Signer:
    """A key that follows from its seed, with a log's and a witness's way to sign."""

    def __init__(self, name: str, seed: int = 1, algorithm: int = ED25519) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        public = self._key.public_key().public_bytes_raw()
        self.key = VerifierKey(name=name, key_id=key_id(name, algorithm, public), algorithm=algorithm, public=public)

    def sign(self, text: bytes, time: int = 1_790_000_000) -> Signature:
        if self.key.algorithm == COSIGNATURE:
            blob = time.to_bytes(8, "big") + self._key.sign(cosignature_message(time, text))
        else:
            blob = self._key.sign(text)
        return Signature(name=self.key.name, key_id=self.key.key_id, blob=blob)

    def note(self, size: int, root: str, origin: str | None = None) -> Note:
        text = body(Checkpoint(origin=origin or self.key.name, size=size, root=root))
        return Note(text=text, signatures=(self.sign(text),))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True
