"""spkit: how language models improve by playing against themselves (distribution: selfplay-kit)."""

__version__ = "0.1.0"
