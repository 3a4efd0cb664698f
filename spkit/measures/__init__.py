"""What is measured on policies and their samples: accuracy, pass@k, entropy, shifts, imitation, epiplexity."""
