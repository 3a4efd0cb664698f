"""A language model that plays: loading, sampling, log-probabilities, updates, and the tiny base models."""

from .loading import data_folder, load_policy, shipped_models
from .policy import Policy
from .rollouts import Rollouts
from .training import Example, SftConfig

__all__ = ["Example", "Policy", "Rollouts", "SftConfig", "data_folder", "load_policy", "shipped_models"]
