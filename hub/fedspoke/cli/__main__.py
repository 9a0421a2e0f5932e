"""`python -m fedspoke.cli` is the same command as `fedspoke`."""

from fedspoke.cli.main import main

main()
