"""What all processes of SERA share: domain, imaging, learning, ledger and engines."""
