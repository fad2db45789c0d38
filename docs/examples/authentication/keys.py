"""Tokens that anybody can verify and only this server can sign."""

from pathlib import Path

from agtwisted import AGServer


def makeServer(folder, algorithm):
    return AGServer(
        authPrivateKey=(folder / "private.pem").read_text(),
        authPublicKey=(folder / "public.pem").read_text(),
        authAlgorithm=algorithm,
    )


if __name__ == "__main__":
    makeServer(Path("keys"), "ES256")
