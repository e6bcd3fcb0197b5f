"""Routes of signing in and out: passwords, authenticator codes, OpenID Connect."""
