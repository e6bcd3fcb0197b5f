"""The work of commands: submit, import, back up, diagnose."""
