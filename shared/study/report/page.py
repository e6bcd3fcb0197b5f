"""A study as one self-contained page, and its tables as CSV files beside it."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.bundles.saving import LIBRARIES
from shared.drawing import css
from shared.recipes import Classifier, FeatureSet, Forest, Svm, TuningPlan
from shared.study.checkpoints import write_atomically
from shared.study.errors import OutputUnwritable
from shared.study.folder import LabelledFolder
from shared.study.report.comparisons import agreement_table, comparison_table
from shared.study.report.figures import Figures, rows_in_section, leading_row, compute_figures
from shared.study.report.plots import draw_all
from shared.study.report.published import published_table
from shared.study.report.tables import (
    READING_GUIDE,
    Table,
    csv_bytes,
    missing_rows_table,
    scores_table,
    section_table,
    settings_table,
    site_table,
    skipped_table,
)
from shared.study.report.wording import format_auc, format_auc_interval, format_percent
from shared.study.results import Section, Study
from shared.version import VERSION

REPORT = "report.html"
TEMPLATES = Path(__file__).parent / "templates"
SECTION_ORDER = (
    Section.MODEL,
    *(section for section in Section if section is not Section.MODEL),
)
"""The model first: it is what the bundle holds."""


@dataclass(frozen=True)
class DatasetDescription:
    """What a report says of the data besides the study itself.

    Attributes
    ----------
    title : what the data set is called
    synthetic : phantoms, not patients
    names : key of a sample -> the image as the manifest names it
    unlabelled, held_out, repeated : lines of the manifest that were left out
    contradicted : images that were left out because they have both labels
    with_patient : images whose patient is known
    """

    title: str
    synthetic: bool = False
    names_by_key: Mapping[str, str] = field(default_factory=dict)
    count_unlabelled: int = 0
    count_held_out: int = 0
    count_repeated: int = 0
    contradictory_images: tuple[str, ...] = ()
    count_with_patient: int = 0

    @classmethod
    def from_folder(cls, folder: LabelledFolder, synthetic: bool) -> "DatasetDescription":
        return cls(
            title=folder.root.resolve().name,
            synthetic=synthetic,
            names=folder.names_by_key,
            unlabelled=folder.count_unlabelled,
            held_out=folder.count_held_out,
            repeated=folder.count_repeated,
            contradicted=folder.contradictory_images,
            with_patient=sum(image.patient is not None for image in folder.images),
        )


def write_report(
    study: Study, dataset: DatasetDescription, folder: Path, generated_at: datetime | None = None
) -> Path:
    """Write report.html and a CSV file for each table into a folder, each whole or not at all; returns the page.

    Raises
    ------
    OutputUnwritable
    """
    page = render(study, dataset, generated_at or datetime.now(UTC)).encode()
    contents = {REPORT: page} | {
        f"{table.name}.csv": csv_bytes(table) for table in _all_tables(study, dataset)
    }
    try:
        for name, content in contents.items():
            write_atomically(folder / name, content)
    except OSError as error:
        raise OutputUnwritable(path=folder, problem=error.strerror) from error
    return folder / REPORT


def render(study: Study, dataset: DatasetDescription, generated_at: datetime) -> str:
    """The page: one file, with its style and figures inside and nothing fetched from elsewhere."""
    pages = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template(REPORT).render(
        study=study,
        material=dataset,
        css=css(),
        summary=_summary(study),
        facts=_facts(study, dataset, generated_at),
        figures=draw_all(study),
        tables=[table for table in _figure_tables(study) if table.rows],
        left_out=missing_rows_table(study),
        skipped=skipped_table(study, dataset.names_by_key),
        settings=settings_table(study),
        reading=READING_GUIDE,
        limits=_limits(study, dataset),
        versions=_versions(),
    )


def _figure_tables(study: Study) -> list[Table]:
    sections = [section_table(study, section) for section in SECTION_ORDER]
    others = [
        comparison_table(study),
        agreement_table(study),
        site_table(study),
        published_table(study),
    ]
    return sections + others


def _all_tables(study: Study, material: DatasetDescription) -> list[Table]:
    plain = (
        missing_rows_table(study),
        skipped_table(study, material.names_by_key),
        settings_table(study),
        scores_table(study),
    )
    return [*_figure_tables(study), *plain]


def _summary(study: Study) -> list[str]:
    row = leading_row(study)
    if row is None:
        return [
            "No judge could be fitted, so there is nothing to report but what was left out."
        ]
    found = compute_figures(row, study.malignant)
    who = (
        "The recipe's own model"
        if row.section is Section.MODEL
        else f"The best judge, {row.name},"
    )
    sentences = [*_discrimination(who, found), _people(study), _gaps(study)]
    return [sentence for sentence in sentences if sentence]


def _discrimination(who: str, found: Figures) -> list[str]:
    table = found.table
    told = ""
    if found.area:
        interval = (
            f" (95 % interval {format_auc_interval(found.area.interval)})"
            if found.area.interval
            else ""
        )
        told = f" with an AUC of {format_auc(found.area.value)}{interval}"
    return [
        f"{who} told malignant from benign nodules{told}, on {found.images} images, each judged by a fit that had seen "
        "neither the image nor its patient.",
        f"At its cut-off it called {format_percent(table.sensitivity)} % of the malignant nodules malignant (sensitivity) and "
        f"{format_percent(table.specificity)} % of the benign ones benign (specificity).",
    ]


def _people(study: Study) -> str:
    people = rows_in_section(study, Section.READERS)
    if not people:
        return ""
    return f"{_counted(len(people), 'person', 'people')} judged the same images; see “The model against people”."


def _gaps(study: Study) -> str:
    if not study.missing_rows:
        return ""
    return f"{_counted(len(study.missing_rows), 'row', 'rows')} could not be made; see “Cells left out”."


def _facts(study: Study, material: DatasetDescription, made: datetime) -> list[tuple[str, str]]:
    malignant = int(study.malignant.sum())
    count = len(study.images)
    share = f"{format_percent(malignant / count)} %" if count else "none"
    sites = sorted(set(study.sites) - {""})
    return [
        (
            "Data",
            f"{material.title}: {count} images, {malignant} malignant ({share}), {count - malignant} benign",
        ),
        ("Left out of the data", _left_out_of_data(study, material)),
        ("Sites", ", ".join(map(str, sites)) or "not named"),
        (
            "Split",
            f"{study.folds}-fold cross-validation, stratified by label. {len(set(study.groups))} groups were never "
            f"split: all images of a patient, known for {material.count_with_patient} images; else the image by itself.",
        ),
        (
            "Recipe",
            f"{study.recipe.name}, version {study.recipe.version}. {study.recipe.source}.",
        ),
        ("Feature sets", " ".join(map(_feature_set, study.recipe.features))),
        ("Tuning", _tuning(study.recipe.tuning)),
        ("Classifiers", "; ".join(map(_classifier, study.recipe.classifiers))),
        (
            "Fusion",
            f"{study.recipe.fusion.rule} of {', '.join(study.recipe.fusion.members)}",
        ),
        ("Seed", str(study.seed)),
        ("Made", f"{made:%Y-%m-%d %H:%M} UTC"),
    ]


def _left_out_of_data(study: Study, material: DatasetDescription) -> str:
    counts = {
        "without a label": material.count_unlabelled,
        "held out by the manifest's split": material.count_held_out,
        "repeated": material.count_repeated,
        f"labelled both benign and malignant ({', '.join(material.contradictory_images)})": len(
            material.contradictory_images
        ),
        "that could not be read": len(study.skipped),
    }
    return (
        ", ".join(f"{count} {why}" for why, count in counts.items() if count)
        or "nothing"
    )


def _feature_set(features: FeatureSet) -> str:
    tuning = getattr(features, "tuning", None)
    told = (
        ""
        if tuning is None
        else {"none": "; as pre-trained"}.get(tuning, f"; tuning: {tuning}")
    )
    return f"{features.name} ({features.tap.replace('+', ', ')}{told})."


def _tuning(plan: TuningPlan | None) -> str:
    if plan is None:
        return "none: no network learnt from these images"
    return (
        f"SGD with momentum {plan.momentum:g}, mini-batches of {plan.batch}, at most {plan.epochs} epochs, rate "
        f"{_list(plan.rates)}, weight decay {_list(plan.decays)}, chosen by cross-validation inside the training folds"
    )


def _classifier(classifier: Classifier) -> str:
    match classifier:
        case Svm(kernel=kernel, C=costs):
            return f"SVM ({' or '.join(kernel)}; C {_list(costs)})"
        case Forest(trees=trees):
            return f"random forest of {trees} trees"
        case _:
            return "the tuned network itself, by its softmax"


def _limits(study: Study, material: DatasetDescription) -> list[str]:
    limits = [
        "These figures hold for this collection of images. Koh et al. (2020) saw AUC fall from 0.898–0.937 at their "
        "own hospital to 0.821–0.885 at three others.",
        "The best row of a table was picked after the fact, among many: expect less of it on new images.",
        f"{format_percent(float(study.malignant.mean()))} % of these images are malignant; clinics see 15–23 %. PPV and NPV "
        "change with that share, sensitivity and specificity less so.",
        "The papers do not document the classifiers' grids, the ensembles' rule and their members: those of the recipe "
        "are choices of its own, so agreement with published figures is no reproduction.",
        "Published systems of this kind do badly where the cancer is follicular (Kang 2021: AUC 0.499, against 0.925 "
        "for conventional papillary cancers) and on nodules of undetermined cytology (Youn 2021: 0.666). Nodules under "
        "10 mm were not in the published training sets.",
        "Intervals treat images as independent, save GEE's; several images of one patient make them too narrow.",
    ]
    if material.count_with_patient < len(study.images):
        limits.append(
            "Where the patient is not known, two images of one patient can be on both sides of a fold, which flatters "
            "every judge that is fitted. Name patients in the manifest's column `patient`."
        )
    return limits


def _versions() -> dict[str, str]:
    libraries = (*LIBRARIES, "matplotlib", "timm")
    return {"SERA": VERSION, "Python": platform.python_version()} | {
        name: version(name) for name in libraries
    }


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
