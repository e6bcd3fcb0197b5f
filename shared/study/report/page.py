"""Renders a study as one self-contained HTML page, with its tables as CSV files beside it."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Self

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.bundles.saving import LIBRARIES
from shared.drawing import css
from shared.recipes import Classifier, FeatureSet, Forest, Svm, TuningPlan
from shared.study.checkpoints import write_atomically
from shared.study.errors import OutputUnwritable
from shared.study.folder import LabelledFolder
from shared.study.report.comparisons import agreement_table, comparison_table
from shared.study.report.decision_curves import decision_curve_table
from shared.study.report.figures import (
    Figures,
    compute_figures,
    leading_row,
    rows_in_section,
)
from shared.study.report.plots import draw_all
from shared.study.report.published import published_table
from shared.study.report.roi_kinds import roi_kinds_table
from shared.study.report.site_candidates import (
    baseline_warning,
    site_candidates_table,
)
from shared.study.report.sites_out import sites_out_table
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
"""The model comes first, because it is the content of the bundle."""


@dataclass(frozen=True)
class DatasetDescription:
    """The description of the data in a report.

    Attributes
    ----------
    title : name of the data set
    synthetic : whether the data are phantoms and not patients
    names_by_key : name of the image in the manifest, by the key of its sample
    count_unlabelled, count_held_out, count_repeated : rows of the manifest that are not in the
        study
    count_outlined : unlabelled images whose outlines the outline network learnt from
    contradictory_images : images that are not in the study because they have both labels
    count_with_patient : images whose patient is known
    count_shared_patient_names : names that patients of two sites or more have
    """

    title: str
    synthetic: bool = False
    names_by_key: Mapping[str, str] = field(default_factory=dict)
    count_unlabelled: int = 0
    count_outlined: int = 0
    count_held_out: int = 0
    count_repeated: int = 0
    contradictory_images: tuple[str, ...] = ()
    count_with_patient: int = 0
    count_shared_patient_names: int = 0

    @classmethod
    def from_folder(cls, folder: LabelledFolder, synthetic: bool) -> Self:
        return cls(
            title=" + ".join(root.resolve().name for root in folder.roots),
            synthetic=synthetic,
            names_by_key=folder.names_by_key,
            count_unlabelled=folder.count_unlabelled,
            count_outlined=len(folder.outlined),
            count_held_out=folder.count_held_out,
            count_repeated=folder.count_repeated,
            contradictory_images=folder.contradictory_images,
            count_with_patient=sum(
                image.patient is not None for image in folder.images
            ),
            count_shared_patient_names=folder.count_shared_patient_names,
        )


def write_report(
    study: Study,
    dataset: DatasetDescription,
    folder: Path,
    generated_at: datetime | None = None,
) -> Path:
    """Write report.html and a CSV file for each table into a folder; return the path of the page.

    Each file is written whole or not at all.

    Raises
    ------
    OutputUnwritable
    """
    page = render(study, dataset, generated_at or datetime.now(UTC))
    contents = {REPORT: page.encode()}
    for table in _all_tables(study, dataset):
        contents[f"{table.name}.csv"] = csv_bytes(table)
    try:
        for name, content in contents.items():
            write_atomically(folder / name, content)
    except OSError as error:
        raise OutputUnwritable(path=folder, problem=error.strerror) from error
    return folder / REPORT


def render(study: Study, dataset: DatasetDescription, generated_at: datetime) -> str:
    """Render the page as one file.

    Style and figures are inside. The browser fetches nothing from elsewhere.
    """
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template(REPORT).render(
        study=study,
        dataset=dataset,
        css=css(),
        summary=_summary(study),
        facts=_facts(study, dataset, generated_at),
        figures=draw_all(study),
        tables=[table for table in _figure_tables(study) if table.rows],
        missing_rows=missing_rows_table(study),
        skipped=skipped_table(study, dataset.names_by_key),
        settings=settings_table(study),
        reading_guide=READING_GUIDE,
        limits=_limits(study, dataset),
        versions=_versions(),
    )


def _figure_tables(study: Study) -> list[Table]:
    return [
        *(section_table(study, section) for section in SECTION_ORDER),
        comparison_table(study),
        agreement_table(study),
        site_table(study),
        sites_out_table(study),
        site_candidates_table(study),
        roi_kinds_table(study),
        published_table(study),
    ]


def _all_tables(study: Study, dataset: DatasetDescription) -> list[Table]:
    return [
        *_figure_tables(study),
        missing_rows_table(study),
        skipped_table(study, dataset.names_by_key),
        settings_table(study),
        decision_curve_table(study),
        scores_table(study),
    ]


def _summary(study: Study) -> list[str]:
    row = leading_row(study)
    if row is None:
        return [
            "No judge could be fitted, so there is nothing to report but what was left out."
        ]
    figures = compute_figures(row, study.malignant)
    if row.section is Section.MODEL:
        subject = "The recipe's own model"
    else:
        subject = f"The best judge, {row.name},"
    sentences = [
        *_discrimination_sentences(subject, figures),
        _people_sentence(study),
        baseline_warning(study),
        _missing_rows_sentence(study),
    ]
    return [sentence for sentence in sentences if sentence]


def _discrimination_sentences(subject: str, figures: Figures) -> list[str]:
    sensitivity = format_percent(figures.table.sensitivity)
    specificity = format_percent(figures.table.specificity)
    auc = _auc_phrase(figures)
    return [
        f"{subject} told malignant from benign nodules{auc}, on {figures.images} images, each "
        "judged by a fit that had seen neither the image nor its patient.",
        f"At its cut-off it called {sensitivity} % of the malignant nodules malignant "
        f"(sensitivity) and {specificity} % of the benign ones benign (specificity).",
    ]


def _auc_phrase(figures: Figures) -> str:
    if figures.area is None:
        return ""
    phrase = f" with an AUC of {format_auc(figures.area.value)}"
    if figures.area.interval:
        interval = format_auc_interval(figures.area.interval)
        phrase += f" (95 % interval {interval})"
    return phrase


def _people_sentence(study: Study) -> str:
    people = rows_in_section(study, Section.READERS)
    if not people:
        return ""
    count = _count_phrase(len(people), singular="person", plural="people")
    return f"{count} judged the same images; see “The model against people”."


def _missing_rows_sentence(study: Study) -> str:
    if not study.missing_rows:
        return ""
    count = _count_phrase(len(study.missing_rows), singular="row", plural="rows")
    return f"{count} could not be made; see “Cells left out”."


def _facts(
    study: Study, dataset: DatasetDescription, generated_at: datetime
) -> list[tuple[str, str]]:
    recipe = study.recipe
    count = len(study.images)
    malignant = int(study.malignant.sum())
    share = f"{format_percent(malignant / count)} %" if count else "none"
    sites = sorted(set(study.sites) - {""})
    groups = len(set(study.groups))
    members = ", ".join(recipe.fusion.members)
    return [
        (
            "Data",
            f"{dataset.title}: {count} images, {malignant} malignant ({share}), "
            f"{count - malignant} benign",
        ),
        ("Left out of the data", _excluded_data(study, dataset)),
        ("Sites", ", ".join(map(str, sites)) or "not named"),
        (
            "Split",
            f"{study.folds}-fold cross-validation, stratified by label. {groups} groups were "
            "never split: all images of a patient, known for "
            f"{dataset.count_with_patient} images; else the image by itself.",
        ),
        ("Recipe", f"{recipe.name}, version {recipe.version}. {recipe.source}."),
        ("Feature sets", " ".join(map(_feature_set_text, recipe.features))),
        ("Tuning", _tuning_text(recipe.tuning)),
        ("Classifiers", "; ".join(map(_classifier_text, recipe.classifiers))),
        ("Fusion", f"{recipe.fusion.rule} of {members}"),
        ("Seed", str(study.seed)),
        ("Made", f"{generated_at:%Y-%m-%d %H:%M} UTC"),
    ]


def _excluded_data(study: Study, dataset: DatasetDescription) -> str:
    contradictory = ", ".join(dataset.contradictory_images)
    unlabelled = "without a label"
    if study.recipe.outline is not None and dataset.count_outlined:
        unlabelled += (
            f" ({dataset.count_outlined} of them with an outline to learn from)"
        )
    count_by_reason = {
        unlabelled: dataset.count_unlabelled,
        "held out by the manifest's split": dataset.count_held_out,
        "repeated": dataset.count_repeated,
        f"labelled both benign and malignant ({contradictory})": len(
            dataset.contradictory_images
        ),
        "that could not be read": len(study.skipped),
    }
    phrases = [
        f"{count} {reason}" for reason, count in count_by_reason.items() if count
    ]
    return ", ".join(phrases) or "nothing"


def _feature_set_text(features: FeatureSet) -> str:
    taps = features.tap.replace("+", ", ")
    tuning = getattr(features, "tuning", None)
    if tuning is None:
        return f"{features.name} ({taps})."
    tuning_text = "as pre-trained" if tuning == "none" else f"tuning: {tuning}"
    return f"{features.name} ({taps}; {tuning_text})."


def _tuning_text(plan: TuningPlan | None) -> str:
    if plan is None:
        return "none: no network learnt from these images"
    return (
        f"SGD with momentum {plan.momentum:g}, mini-batches of {plan.batch}, at most "
        f"{plan.epochs} epochs, rate {_number_list(plan.rates)}, weight decay "
        f"{_number_list(plan.decays)}, chosen by cross-validation inside the training folds"
    )


def _classifier_text(classifier: Classifier) -> str:
    match classifier:
        case Svm(kernel=kernel, C=costs):
            return f"SVM ({' or '.join(kernel)}; C {_number_list(costs)})"
        case Forest(trees=trees):
            return f"random forest of {trees} trees"
        case _:
            return "the tuned network itself, by its softmax"


def _limits(study: Study, dataset: DatasetDescription) -> list[str]:
    malignant_percent = format_percent(float(study.malignant.mean()))
    limits = [
        "These figures hold for this collection of images. Koh et al. (2020) saw AUC fall from "
        "0.898–0.937 at their own hospital to 0.821–0.885 at three others.",
        "The best row of a table was picked after the fact, among many: expect less of it on new "
        "images.",
        f"{malignant_percent} % of these images are malignant; clinics see 15–23 %. PPV and NPV "
        "change with that share, sensitivity and specificity less so.",
        "The papers do not document the classifiers' grids, the ensembles' rule and their "
        "members: those of the recipe are choices of its own, so agreement with published "
        "figures is no reproduction.",
        "Published systems of this kind do badly where the cancer is follicular (Kang 2021: AUC "
        "0.499, against 0.925 for conventional papillary cancers) and on nodules of undetermined "
        "cytology (Youn 2021: 0.666). Nodules under 10 mm were not in the published training "
        "sets.",
        "Intervals treat images as independent, save GEE's and those of sites left out; several images of one patient make "
        "them too narrow.",
    ]
    if dataset.count_with_patient < len(study.images):
        limits.append(
            "Where the patient is not known, two images of one patient can be on both sides of a "
            "fold, which flatters every judge that is fitted. Name patients in the manifest's "
            "column `patient`."
        )
    if dataset.count_shared_patient_names:
        limits.append(
            f"{dataset.count_shared_patient_names} names of patients are at two sites or more. "
            "They count as different people, because a number is unique within one hospital only. "
            "If they are the same people, the figures of a site that was left out flatter."
        )
    return limits


def _versions() -> dict[str, str]:
    versions = {"SERA": VERSION, "Python": platform.python_version()}
    for library in (*LIBRARIES, "matplotlib", "timm"):
        versions[library] = version(library)
    return versions


def _count_phrase(count: int, *, singular: str, plural: str) -> str:
    return f"{count} {singular if count == 1 else plural}"


def _number_list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
