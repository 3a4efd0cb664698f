"""Where model-written Python runs: pydantic-monty if it is installed, a limited process otherwise."""
