"""`./sera hospital`: each hospital's settings, and the cut-off they give with the live model."""

from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from cli.commands import application
from cli.connection import connect
from cli.output.results import wide_console
from cli.output.terminal import Console, print_json
from shared.domain.roles import Role
from shared.errors import InputError, NotFound

app = application()
RESET_WORD = "default"
"""The word that resets a setting to the installation's value."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Prevalence = Annotated[
    str | None,
    typer.Option(help="Expected share of malignant nodules, 0.01 to 0.9."),
]
TargetSensitivity = Annotated[
    str | None,
    typer.Option(
        help="What the cut-off is chosen for, 0.80 to 0.99; `default`: Youden's."
    ),
]
ReferAlpha = Annotated[
    str | None,
    typer.Option(
        help="Refer what cannot be told at this error level, 0.01 to 0.3; `default`: off."
    ),
]
FnaRule = Annotated[str | None, typer.Option(help="An FNA rule by its name.")]
RatePerMinute = Annotated[
    str | None, typer.Option(help="Cases it may send in a minute.")
]
InflightQuota = Annotated[
    str | None, typer.Option(help="Cases of it that may be unanswered at a time.")
]
Weight = Annotated[
    str | None,
    typer.Option(help="Its share of the workers beside others, 0.1 to 10."),
]
RetentionDays = Annotated[
    str | None, typer.Option(help="Days after which a case is erased for ever.")
]
BlankText = Annotated[
    str | None,
    typer.Option(
        help="Text burnt into images: `off`, `warn` or `blank` (painted over beside the tissue)."
    ),
]
ReaderFirst = Annotated[
    str | None,
    typer.Option(
        help="`on`: people enter their own suspicion level before SERA's answer; `off`: not."
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Change nothing; say what it would come to, and how many cases would go.",
    ),
]


class NothingToSet(InputError):
    code = "nothing-to-set"
    text = (
        "Nothing was named to set. Give at least one of --prevalence, "
        "--target-sensitivity, --refer-alpha, --fna-rule, "
        "--rate-per-minute, --inflight-quota, --weight, --retention-days, --blank-text, "
        "--reader-first."
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
    """Prevalence, cut-off, referral, FNA rule, retention and other settings of each hospital."""


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help="Of one hospital.")] = None,
    as_json: AsJson = False,
) -> None:
    """All hospitals, or one with what its settings come to with the live model."""
    with connect(Role.OPERATOR) as api:
        hospitals = api.get_list("/v1/hospitals")
    hospital = None if name is None else find_hospital(name, hospitals)
    if as_json:
        print_json(hospital or hospitals)
    elif hospital is None:
        wide_console().print(table(hospitals))
    else:
        print_hospital(hospital)


@app.command("set")
def change(
    name: Annotated[str, typer.Argument(help="The hospital.")],
    prevalence: Prevalence = None,
    target_sensitivity: TargetSensitivity = None,
    refer_alpha: ReferAlpha = None,
    fna_rule: FnaRule = None,
    rate_per_minute: RatePerMinute = None,
    inflight_quota: InflightQuota = None,
    weight: Weight = None,
    retention_days: RetentionDays = None,
    blank_text: BlankText = None,
    reader_first: ReaderFirst = None,
    dry_run: DryRun = False,
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
    words = {
        "fna_rule": fna_rule,
        "blank_text": blank_text,
        "reader_first": reader_first,
    }
    changes = parse_changes(numbers, words)
    if not changes:
        raise NothingToSet
    with connect(Role.OPERATOR) as api:
        present = find_hospital(name, api.get_list("/v1/hospitals"))
        hospital = api.patch(
            f"/v1/hospitals/{quote(name, safe='')}",
            etag=f'"{present["tag"]}"',
            json=changes,
            params={"dry_run": dry_run},
        )
    if as_json:
        print_json(hospital)
    else:
        print_hospital(hospital)


def parse_changes(
    numbers: dict[str, str | None], words: dict[str, str | None]
) -> dict[str, float | str | None]:
    """Return the given settings. None resets a setting to the installation's value."""
    changes: dict[str, float | str | None] = {}
    for option, text in numbers.items():
        if text is not None:
            changes[option] = parse_number(option, text)
    for option, word in words.items():
        if word is not None:
            changes[option] = None if word == RESET_WORD else word
    return changes


def find_hospital(name: str, hospitals: list[dict[str, Any]]) -> dict[str, Any]:
    for hospital in hospitals:
        if hospital["name"] == name:
            return hospital
    raise NoSuchHospital(name=name)


def parse_number(option: str, text: str) -> float | None:
    """Parse a number. Returns None for the word that resets a setting."""
    if text == RESET_WORD:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise NotANumber(option=f"--{option.replace('_', '-')}", value=text) from error


def table(hospitals: list[dict[str, Any]]) -> Table:
    columns = (
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
    table = Table(*columns)
    for hospital in hospitals:
        cells = [
            hospital["name"],
            *settings_cells(hospital),
            *operating_point_cells(hospital["live"]),
            retention_cell(hospital),
        ]
        table.add_row(*cells)
    return table


def in_brackets_if_default(text: str, hospital: dict[str, Any], setting: str) -> str:
    """Put a value in brackets if it is the installation's value and not the hospital's own."""
    return text if hospital[setting] else f"({text})"


def settings_cells(hospital: dict[str, Any]) -> tuple[str, str]:
    """Return prevalence and FNA rule in use. The installation's values are in brackets."""
    in_use = hospital["in_use"]
    prevalence = in_brackets_if_default(
        f"{in_use['prevalence']:.0%}", hospital, "prevalence"
    )
    rule = in_brackets_if_default(in_use["fna_rule"], hospital, "fna_rule")
    return prevalence, rule


def retention_cell(hospital: dict[str, Any]) -> str:
    """Return how long the hospital's cases are kept. The installation's value is in brackets."""
    days = hospital["in_use"]["retention_days"]
    text = "for ever" if days is None else f"{days:g} days"
    return in_brackets_if_default(text, hospital, "retention_days")


def operating_point_cells(live: dict[str, Any] | None) -> tuple[str, ...]:
    """Return cut-off and referral with the live model."""
    if live is None:
        return ("-",) * 6
    cutoff = live["cutoff"]
    referral = live["referral"]
    alpha = "off"
    refer_rate = "-"
    if referral is not None:
        alpha = f"{referral['alpha']:g}"
        refer_rate = f"{referral['refer_rate']:.0%}"
    return (
        f"{cutoff['cutoff']:.3f}",
        cutoff["rule"],
        share(cutoff["sensitivity"]),
        share(cutoff["specificity"]),
        alpha,
        refer_rate,
    )


def share(rate: dict[str, Any] | None) -> str:
    if rate is None or rate["value"] is None:
        return "-"
    return f"{rate['value']:.1%}"


def share_with_interval(rate: dict[str, Any] | None) -> str:
    """Format a rate with its 95 % interval."""
    if rate is None or rate["value"] is None:
        return "-"
    return f"{share(rate)} ({100 * rate['low']:.1f}-{100 * rate['high']:.1f})"


def print_hospital(hospital: dict[str, Any]) -> None:
    """Print one hospital as sentences."""
    prevalence, rule = settings_cells(hospital)
    lines = [
        f"{hospital['name']}: prevalence {prevalence}, FNA rule {rule} "
        "(in brackets: the installation's).",
        load_line(hospital),
        retention_line(hospital),
        burnt_in_text_line(hospital),
        reader_first_line(hospital),
    ]
    if live := hospital["live"]:
        lines.append(cutoff_line(live))
        lines += referral_lines(live["referral"])
    lines += [f"Note: {note}" for note in hospital["notes"]]
    console = Console(soft_wrap=True, highlight=False)
    for line in lines:
        console.print(line, markup=False)


def load_line(hospital: dict[str, Any]) -> str:
    """Describe how many cases the hospital may send, and its share of the workers."""
    in_use = hospital["in_use"]
    return (
        f"It may send {in_use['rate_per_minute']:g} cases a minute, "
        f"{in_use['inflight_quota']:g} unanswered at a time; "
        f"its share beside others counts {in_use['weight']:g}."
    )


def retention_line(hospital: dict[str, Any]) -> str:
    """Describe how long the hospital's cases are kept, and how many cases are older."""
    days = hospital["in_use"]["retention_days"]
    if days is None:
        return "Its cases are kept for ever."
    return (
        f"Its cases are erased after {days:g} days; older now, and erased with the next "
        f"sweep: {hospital['due']}."
    )


def burnt_in_text_line(hospital: dict[str, Any]) -> str:
    return {
        "off": "Nothing is said of text burnt into its images.",
        "warn": "Results warn of text burnt into the image.",
        "blank": "Text beside the tissue is painted over; results warn of other text.",
    }[hospital["in_use"]["blank_text"]]


def reader_first_line(hospital: dict[str, Any]) -> str:
    return {
        "on": "People enter their own suspicion level before SERA's answer is shown to them.",
        "off": "SERA's answer is shown to people at once.",
    }[hospital["in_use"]["reader_first"]]


def cutoff_line(live: dict[str, Any]) -> str:
    cutoff = live["cutoff"]
    line = (
        f"Cut-off {cutoff['cutoff']:.4f} by {cutoff['rule']} with {live['model']}: "
        f"sensitivity {share_with_interval(cutoff['sensitivity'])}, "
        f"specificity {share_with_interval(cutoff['specificity'])}"
    )
    if cutoff["ppv"] is not None:
        line += f"; expected here: PPV {cutoff['ppv']:.0%}, NPV {cutoff['npv']:.1%}"
    return f"{line}."


def referral_lines(referral: dict[str, Any] | None) -> list[str]:
    if referral is None:
        return ["Uncertain cases are not referred."]
    rate = "-"
    if referral["refer_rate"] is not None:
        rate = f"{referral['refer_rate']:.0%}"
    line = (
        f"Cases uncertain at an error of {referral['alpha']:g} are referred: about {rate} "
        f"here; covered: benign {share_with_interval(referral['benign_coverage'])}, "
        f"malignant {share_with_interval(referral['malignant_coverage'])}."
    )
    return [line]
