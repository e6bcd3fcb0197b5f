"""`sera up`: the embedded stack in the foreground."""

from rich.markup import escape

from cli.commands import application
from cli.output.first_operator import print_first_sign_in
from cli.output.terminal import Console
from deploy.local import Event, Phase, Stack
from shared.security.production_checks import refuse_unsafe
from shared.settings import Settings

app = application()

STYLES = {Phase.READY: "green", Phase.FINISHED: "green", Phase.RESTING: "red"}


@app.command()
def up() -> None:
    """Run the whole stack on this machine until Ctrl-C.

    Starts the database, the broker, the API, the worker, the trainer and the scheduler, restarts
    what crashes, and leaves nothing running. All data stay in SERA_HOME; the next start goes on
    with them.
    """
    console = Console(highlight=False)
    settings = refuse_unsafe(Settings())
    console.print(f"Starting SERA on {settings.home}", soft_wrap=True)
    stack = Stack.from_settings(
        settings, observe=lambda event: print_event(console, event)
    )
    stack.run_until_stopped(on_ready=lambda running: print_ready(console, running))
    console.print(
        "SERA has stopped. Nothing is left running; your data are in "
        + str(settings.home),
        soft_wrap=True,
    )


def print_event(console: Console, event: Event) -> None:
    """Print one line for a change of a child process."""
    style = STYLES.get(event.phase, "dim")
    console.print(
        f"  {event.child:<9} [{style}]{event.phase}[/] {escape(event.detail)}",
        soft_wrap=True,
    )


def print_ready(console: Console, stack: Stack) -> None:
    console.print(f"\n[bold]SERA serves at {stack.url}[/]", soft_wrap=True)
    print_first_sign_in(console, stack)
    console.print(f"Logs: {stack.home.logs}/   Stop with Ctrl-C.", soft_wrap=True)
