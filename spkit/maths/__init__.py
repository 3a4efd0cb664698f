"""Pure functions of tensors: advantages, policy-gradient losses, preference losses, estimators."""
