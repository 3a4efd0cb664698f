"""What is measured on a policy and its samples: accuracy, pass@k, entropy, imitation, epiplexity."""
