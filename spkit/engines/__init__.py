"""Other people's trainers as the engine of our loops: same task, prompts, verifier and settings, our run folder."""
