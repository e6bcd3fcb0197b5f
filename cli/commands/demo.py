"""`./sera demo`: everything at once, on this machine, without a download."""

from itertools import groupby
from typing import Annotated

import typer

from cli.commands import application
from cli.demo.cases import ensure_model, sample_cases, submit_all
from cli.demo.people import print_demo_accounts
from cli.output.first_operator import print_first_sign_in
from cli.output.results import model_notes, result_row, result_table, wide_console
from cli.output.terminal import Console
from deploy.local import Stack
from shared.security.production_checks import refuse_unsafe
from shared.settings import Settings

app = application()


@app.command()
def demo(
    once: Annotated[
        bool,
        typer.Option("--once", help="Print the results, stop everything and exit."),
    ] = False,
) -> None:
    """Start SERA, make sure a model is live, let two demo hospitals submit sample cases, print what
    they get.
    """
    console = wide_console()
    console.print(
        "Starting the embedded database, broker, API, workers, trainer and beat ..."
    )
    stack = Stack.from_settings(refuse_unsafe(Settings()))
    if once:
        with stack:
            show(console, stack)
        stopped_line = (
            f"Stopped; nothing is left running. The page was at {stack.url}; `./sera demo` "
            "keeps it open."
        )
        console.print(stopped_line, soft_wrap=True)
    else:
        stack.run_until_stopped(
            on_ready=lambda running: show(console, running, stay=True)
        )


def show(console: Console, stack: Stack, stay: bool = False) -> None:
    settings = Settings(
        home=stack.home.root,
        host=stack.host,
        port=stack.port,
        database_url=stack.database_url,
        broker_url=stack.broker_url,
        objects_url=stack.objects_url,
    )
    model = ensure_model(settings, console)
    console.print(
        f"Live model: {model['name']}/{model['version']}. Two hospitals submit their "
        "sample cases at once ...\n"
    )
    answers = list(submit_all(settings, sample_cases()))
    for hospital, cases in groupby(answers, key=lambda answer: answer[0]):
        table = result_table(hospital)
        for _, case, job in cases:
            table.add_row(*result_row(case.name, case.size_mm, job))
        console.print(table)
    console.print(
        f"FNA advice by rule {settings.fna_rule}. Decision support for research, not a diagnosis."
    )
    for note in model_notes(job for _, _, job in answers):
        console.print(note, soft_wrap=True)
    if stay:
        if settings.production:
            print_first_sign_in(console, stack)
        else:
            print_demo_accounts(console, settings, stack.url)
        console.print(
            f"Open the page at [bold]{stack.url}[/]. Stop with Ctrl-C.", soft_wrap=True
        )
