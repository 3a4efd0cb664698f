"""`python -m spkit`, which launchers of several processes start (docs/scale.md)."""

from .cli.main import main

if __name__ == "__main__":
    main()
