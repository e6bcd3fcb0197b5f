"""The services of a stack, as data. What each needs to know comes to it through SERA_* variables."""

from deploy.local.child import Child, answers_http, python

ENGINES = ("postgres", "valkey")

SERVICES = (
    Child("migrate", python("shared.ledger", "migrate"), after=("postgres",), one_shot=True, start_attempts=2),
    Child("api", python("services.api"), after=(*ENGINES, "migrate"), ready=answers_http("/readyz")),
    Child("worker", python("services.worker"), after=(*ENGINES, "migrate")),
    Child("shadow", python("services.worker.shadow"), after=(*ENGINES, "migrate")),
    Child("trainer", python("services.trainer"), after=(*ENGINES, "migrate")),
    Child("beat", python("services.beat"), after=(*ENGINES, "migrate")),
)
