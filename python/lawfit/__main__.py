"""Entry point of the `lawfit` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or say how to get it."""
    try:
        import click  # noqa: F401
    except ModuleNotFoundError:
        sys.exit("the lawfit command needs its extra: pip install 'lawfit[cli]'")
    from .cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
