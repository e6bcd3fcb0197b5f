"""Errors that keep a load from starting or from being reported."""

from shared.errors import SeraError


class NoModelLive(SeraError):
    code = "no-model-live"
    text = (
        "No model is live, so no case would be answered. Run `./sera demo` once, or "
        "`./sera models promote`."
    )


class NotThisMachine(SeraError):
    code = "load-not-this-machine"
    text = (
        "{url} is not on this machine, and a load makes hospitals and cases there that "
        "stay. If it is yours to load, "
        "name it with --url and say --yes-load-this-server."
    )


class ReportUnwritable(SeraError):
    code = "load-report-unwritable"
    text = "The report {path} cannot be written ({problem}). Choose another place with --out."
