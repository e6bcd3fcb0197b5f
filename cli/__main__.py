"""Runs the `sera` command: `python -m cli`."""

from cli.app import main

main()
