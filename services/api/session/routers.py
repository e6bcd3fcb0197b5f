"""All routes of signing in and out, by a password, with an authenticator, or by a provider of identities."""

from services.api.session.authenticator_router import router
from services.api.session.oidc_router import router as oidc
from services.api.session.router import router as session

ROUTERS = (session, router, oidc)
