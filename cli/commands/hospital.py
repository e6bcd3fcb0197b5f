"""`./sera hospital`: what each hospital has set, and what it comes to with the live model."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from cli.commands import application
from cli.connection import connect
from cli.output.results import wide_console
from shared.domain.roles import Role
from shared.errors import InputError, NotFound

app = application()
DEFAULT = "default"
"""The word that takes a setting back."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class NothingToSet(InputError):
    code = "nothing-to-set"
    text = (
        "Nothing was named to set. Give at least one of --prevalence, "
        "--target-sensitivity, --refer-alpha, --fna-rule, "
        "--rate-per-minute, --inflight-quota, --weight, --retention-days."
    )


class NotANumber(InputError):
    code = "not-a-number"
    text = (
        "{option} takes a number such as 0.9, or the word `default`, and not {value!r}."
    )


class NoSuchHospital(NotFound):
    code = "hospital-unknown"
    text = "There is no hospital {name!r}. Those there are: `./sera hospital show`."


@app.callback()
def hospitals() -> None:
    """Prevalence, cut-off, referral, FNA rule and retention of each hospital."""


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help="Of one hospital.")] = None,
    as_json: AsJson = False,
) -> None:
    """All hospitals, or one with what its settings come to with the live model."""
    with connect(Role.OPERATOR) as api:
        found = api.get("/v1/hospitals")
    shown = found if name is None else of(name, found)
    if as_json:
        print(json.dumps(shown, indent=2))
    elif name is None:
        wide_console().print(table(found))
    else:
        tell(shown)


@app.command("set")
def change(
    name: Annotated[str, typer.Argument(help="The hospital.")],
    prevalence: Annotated[
        str | None,
        typer.Option(help="Expected share of malignant nodules, 0.01 to 0.9."),
    ] = None,
    target_sensitivity: Annotated[
        str | None,
        typer.Option(
            help="What the cut-off is chosen for, 0.80 to 0.99; `default`: Youden's."
        ),
    ] = None,
    refer_alpha: Annotated[
        str | None,
        typer.Option(
            help="Refer what cannot be told at this error level, 0.01 to 0.3; `default`: off."
        ),
    ] = None,
    fna_rule: Annotated[
        str | None, typer.Option(help="An FNA rule by its name.")
    ] = None,
    rate_per_minute: Annotated[
        str | None, typer.Option(help="Cases it may send in a minute.")
    ] = None,
    inflight_quota: Annotated[
        str | None, typer.Option(help="Cases of it that may be unanswered at a time.")
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(help="Its share of the workers beside others, 0.1 to 10."),
    ] = None,
    retention_days: Annotated[
        str | None, typer.Option(help="Days after which a case is erased for ever.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Change nothing; say what it would come to, and how many cases would go.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Change settings; `default` takes one back. The next case is judged by the new ones."""
    numbers = {
        "prevalence": prevalence,
        "target_sensitivity": target_sensitivity,
        "refer_alpha": refer_alpha,
        "rate_per_minute": rate_per_minute,
        "inflight_quota": inflight_quota,
        "weight": weight,
        "retention_days": retention_days,
    }
    wanted: dict[str, float | str | None] = {
        option: number(option, value)
        for option, value in numbers.items()
        if value is not None
    }
    if fna_rule is not None:
        wanted["fna_rule"] = None if fna_rule == DEFAULT else fna_rule
    if not wanted:
        raise NothingToSet
    with connect(Role.OPERATOR) as api:
        present = of(name, api.get("/v1/hospitals"))
        address = f"/v1/hospitals/{quote(name, safe='')}"
        asked = {"dry_run": dry_run}
        found = api.patch(address, etag=f'"{present["tag"]}"', json=wanted, params=asked)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        tell(found)


def of(name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """The hospital of this name."""
    for each in found:
        if each["name"] == name:
            return each
    raise NoSuchHospital(name=name)


def number(option: str, value: str) -> float | None:
    """A number, or None for the word that takes a setting back."""
    if value == DEFAULT:
        return None
    try:
        return float(value)
    except ValueError as error:
        raise NotANumber(option=f"--{option.replace('_', '-')}", value=value) from error


def table(found: list[dict[str, Any]]) -> Table:
    shown = Table(
        "hospital",
        "malignant",
        "FNA rule",
        "cut-off",
        "by",
        "sens.",
        "spec.",
        "refer at",
        "referred",
        "kept",
    )
    for each in found:
        shown.add_row(each["name"], *settings(each), *outcome(each["live"]), days(each))
    return shown


def settings(each: dict[str, Any]) -> tuple[str, str]:
    """Those in use, the installation's in brackets."""
    used = each["in_use"]
    prevalence = f"{used['prevalence']:.0%}"
    rule = used["fna_rule"]
    return prevalence if each["prevalence"] else f"({prevalence})", rule if each[
        "fna_rule"
    ] else f"({rule})"


def days(each: dict[str, Any]) -> str:
    """How long its cases are kept, the installation's word in brackets."""
    used = each["in_use"]["retention_days"]
    told = "for ever" if used is None else f"{used:g} days"
    return told if each["retention_days"] else f"({told})"


def outcome(live: dict[str, Any] | None) -> tuple[str, ...]:
    """Cut-off and referral with the live model."""
    if live is None:
        return ("-",) * 6
    cutoff = live["cutoff"]
    referral = live["referral"]
    rates = share(cutoff["sensitivity"]), share(cutoff["specificity"])
    referred = (
        ("off", "-")
        if referral is None
        else (f"{referral['alpha']:g}", f"{referral['refer_rate']:.0%}")
    )
    return f"{cutoff['cutoff']:.3f}", cutoff["rule"], *rates, *referred


def share(rate: dict[str, Any] | None) -> str:
    return "-" if rate is None or rate["value"] is None else f"{rate['value']:.1%}"


def whole(rate: dict[str, Any] | None) -> str:
    """With its 95 % interval."""
    if rate is None or rate["value"] is None:
        return "-"
    return f"{share(rate)} ({100 * rate['low']:.1f}-{100 * rate['high']:.1f})"


def tell(each: dict[str, Any]) -> None:
    """One hospital in lines."""
    prevalence, rule = settings(each)
    told = [
        (
            f"{each['name']}: prevalence {prevalence}, FNA rule {rule} (in brackets: the "
            "installation's)."
        ),
        load(each),
    ]
    told.append(kept(each))
    if live := each["live"]:
        told += [cutoff_line(live), *referral_line(live["referral"])]
    console = Console(soft_wrap=True, highlight=False)
    for line in told + [f"Note: {note}" for note in each["notes"]]:
        console.print(line, markup=False)


def load(each: dict[str, Any]) -> str:
    """How much it may send, and its share."""
    used = each["in_use"]
    sent = (
        f"{used['rate_per_minute']:g} cases a minute, {used['inflight_quota']:g} "
        "unanswered at a time"
    )
    return f"It may send {sent}; its share beside others counts {used['weight']:g}."


def kept(each: dict[str, Any]) -> str:
    """How long its cases are kept, and how many are older."""
    days = each["in_use"]["retention_days"]
    if days is None:
        return "Its cases are kept for ever."
    return (
        f"Its cases are erased after {days:g} days; older now, and erased with the next "
        f"sweep: {each['due']}."
    )


def cutoff_line(live: dict[str, Any]) -> str:
    cutoff = live["cutoff"]
    rates = (
        f"sensitivity {whole(cutoff['sensitivity'])}, specificity "
        f"{whole(cutoff['specificity'])}"
    )
    values = (
        ""
        if cutoff["ppv"] is None
        else f"; expected here: PPV {cutoff['ppv']:.0%}, NPV {cutoff['npv']:.1%}"
    )
    return (
        f"Cut-off {cutoff['cutoff']:.4f} by {cutoff['rule']} with {live['model']}: "
        f"{rates}{values}."
    )


def referral_line(referral: dict[str, Any] | None) -> list[str]:
    if referral is None:
        return ["Uncertain cases are not referred."]
    held = (
        f"benign {whole(referral['benign_coverage'])}, malignant "
        f"{whole(referral['malignant_coverage'])}"
    )
    rate = "-" if referral["refer_rate"] is None else f"{referral['refer_rate']:.0%}"
    return [
        (
            f"Cases uncertain at an error of {referral['alpha']:g} are referred: about {rate} "
            f"here; covered: {held}."
        )
    ]
