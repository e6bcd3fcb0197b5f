"""What commands do: submit, import, back up, diagnose."""
