"""People who sign in: accounts, sessions, authenticators, sign-in attempts."""
