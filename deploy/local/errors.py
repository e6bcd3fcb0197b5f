"""Errors that keep the local stack from starting, each with the next step."""

from shared.errors import SeraError, Unavailable


class StackError(SeraError):
    code = "stack"
    text = "The local stack cannot run: {problem}."


class AlreadyRunning(StackError):
    code = "stack-already-running"
    text = (
        "SERA already runs on {home}: process {pid} of user {user}, since {since}. "
        "Stop it there with Ctrl-C, or set SERA_HOME to another folder."
    )


class PortBusy(StackError):
    code = "port-busy"
    text = (
        "Port {port} of {host} cannot be used: {problem}. "
        "Stop the program that has it, or set SERA_PORT to another port."
    )


class ChildFailed(StackError):
    code = "child-failed"
    text = "{child} did not come up: {how}. Its log is {log}{ending}"


class ToolMissing(StackError):
    code = "tool-missing"
    text = (
        "The program {tool} was not found. It comes with the package {package}; install "
        "that, then start again."
    )


class DatabaseNotCreated(StackError):
    code = "database-not-created"
    text = "PostgreSQL could not create its data folder {data}: {problem}"


class DatabaseTooOld(StackError):
    code = "database-other-version"
    text = (
        "The database in {data} was written by PostgreSQL {found}, and this is PostgreSQL "
        "{needed}. "
        "Dump it with the old version and restore it, or set SERA_HOME to a new folder."
    )


class DatabaseNotOurs(StackError):
    code = "database-not-ours"
    text = (
        "The database in {data} belongs to the user {owner}. "
        "Run SERA as root or as {owner}, or set SERA_HOME to a folder of your own."
    )


class NoServerUser(StackError):
    code = "no-server-user"
    text = (
        "PostgreSQL refuses to run as root, and this machine does not let root hand it to "
        "the user {user} ({problem}). "
        "Run SERA as an ordinary user, or set SERA_DATABASE_URL to a PostgreSQL of your own."
    )


class StackNotRunning(Unavailable):
    code = "stack-not-running"
    text = "No SERA runs on {home}. Start it with `./sera up` and try again."
