"""How the shipped tiny base models are made."""
