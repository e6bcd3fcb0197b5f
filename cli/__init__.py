"""The `sera` command and its subcommands."""
