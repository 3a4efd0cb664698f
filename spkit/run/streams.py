"""Random state as a function of what it is for, so that a resumed run draws what an uninterrupted one would have drawn."""

import hashlib

import torch


def generator(seed: int, iteration: int, purpose: str) -> torch.Generator:
    """A CPU generator for one purpose (`solve`, `learn`, ...) of one iteration of one run."""
    digest = hashlib.sha256(f"{seed}/{iteration}/{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
