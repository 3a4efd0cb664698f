"""The stages that loops share, each once: propose, solve, verify, learn, measure."""
