"""The English texts of messages that are stored as codes. An error has its text in its class.

A code that is used for several purposes has several texts; its facts decide which text applies.
The Korean texts are in `services/api/problems/ko.toml`.
"""

JOBS = {
    "worker-lost": (
        "The worker was lost every time it tried this image. It can be run again from the "
        "worklist.",
    ),
    "result-changed": (
        "The result of this case, or what it was computed from, was changed after SERA had "
        "written it. It is not shown. Tell your administrator, and send the case anew.",
    ),
}
"""Reasons why a job failed, besides the errors of its image."""

RUNS = {
    "trainer-lost": (
        "The trainer was lost every time it tried the step {step}, perhaps for want of memory. "
        "See its log, then resume the run.",
    ),
    "run-cancelled": ("An operator cancelled it.",),
}
"""Reasons why a run ended, besides the errors of its steps."""

INTERNAL = {
    "internal": (
        "SERA failed on this image for a reason of its own. Report the job {job} to your "
        "administrator.",
        "SERA failed at the step {step} for a reason of its own. See the trainer's log, then "
        "resume the run.",
        "The bundle broke while it was loaded, for a reason of SERA's own. See the log of "
        "{process}, or choose another model.",
    ),
}
"""Internal faults: in a job, in a step of a run, in a bundle."""

STEPS = {
    "plan-done": ("{steps} steps planned",),
    "network-done": ("{features} has been trained on phantoms",),
    "outline-done": (
        "the outline network of the bundle is trained",
        "outlines trained without fold {fold}",
    ),
    "features-done": ("{features}: {computed} images computed, {known} known before",),
    "table-done": ("{images} images, {skipped} skipped",),
    "tuning-done": ("tuned on all images", "tuned without fold {fold}"),
    "fold-done": ("fold {fold} is validated",),
    "fold-absent": ("there is no fold {fold}: patients are too few",),
    "fit-done": ("{reader} is fitted",),
    "bundle-done": ("cross-validated AUC {auc:.3f}",),
    "evaluation-done": (
        "{images} locked test images: too few to tell",
        "{images} locked test images: AUC {auc:.3f}",
    ),
    "gate-passed": ("Validation passed.",),
    "gate-failed": ("Validation failed: {against}",),
    "gate-not-judged": ("Validation was not possible: {against}",),
    "step-done": ("{step} is done",),
    "earlier-message": ("the message was not stored",),
}
"""Outcomes of the steps of a run."""

PROGRESS = {
    "progress-phantoms": ("{drawn} of {phantoms} phantoms drawn",),
    "progress-epoch": ("epoch {epoch} of {epochs}",),
    "progress-images": ("{done} of {images} images",),
    "progress-tuning": (
        "{network}, {tuning}: on all images, epoch {epoch} of {epochs}",
        "{network}, {tuning}: fold {fold} of {folds}, rate {rate:g}, epoch {epoch} of {epochs}",
    ),
    "progress-fold": ("fold {fold} of {folds}",),
    "progress-reader": ("{reader}",),
    "progress-validated": ("cross-validated",),
    "progress-readings": ("{done} of {readings} readings",),
}
"""Progress of a step."""

_AUC = (
    "AUC {auc:.3f} against {live:.3f} of the live model: a difference of {difference:+.3f} "
    "({level:.0%} interval {low:+.3f} to {high:+.3f})"
)
_SENSITIVITY = (
    "It finds {found} of {of} malignant images, {value:.1%} (95 % interval {low:.0%} to "
    "{high:.0%})"
)
_CALIBRATION = (
    "Its risks are {error:.3f} off on average, where perfectly calibrated ones would be "
    "{by_chance:.3f} off by chance (P = {p_value:.3g})"
)
_LEFT_OUT = (
    "Fitted without each of {sites} sites in turn, it has an AUC of {auc:.3f} there, plain averages "
    "of its networks {baseline:.3f}, difference {difference:+.3f} (95 % interval {low:+.3f} to "
    "{high:+.3f})"
)
_SIZE_CALIBRATION = (
    "their {images} images the risks are {error:.3f} off on average, where perfectly calibrated "
    "ones would be {by_chance:.3f} off by chance (P = {p_value:.3g}); the limit is {limit:g}."
)
GATE = {
    "judged-too-few-test-images": (
        "The locked test set holds {malignant} malignant and {benign} benign images, and at "
        "least {least} of each are needed, of several patients. Add images with split `test`, "
        "freeze the dataset and judge again.",
    ),
    "judged-no-live-model": (
        "AUC {auc:.3f}. No model is live, so there is none it could be worse than; the other "
        "criteria decide.",
    ),
    "judged-auc-not-worse": (
        f"{_AUC}. Non-inferior (margin {{margin:g}}, P = {{p_value:.3g}}).",
    ),
    "judged-auc-worse": (f"{_AUC}: inferior.",),
    "judged-auc-not-shown": (
        f"{_AUC}: these images cannot show non-inferiority (margin {{margin:g}}). "
        "More images narrow the interval.",
    ),
    "judged-sensitivity-below-floor": (
        f"{_SENSITIVITY}; at least {{floor:.0%}} are required.",
    ),
    "judged-sensitivity-kept": (f"{_SENSITIVITY}, above the floor of {{floor:.0%}}.",),
    "judged-calibration-unknown": (
        "It could read images of one class at most, so nothing is known of its calibration.",
    ),
    "judged-calibration-off": (f"{_CALIBRATION}; the limit is {{limit:g}}.",),
    "judged-calibrated": (f"{_CALIBRATION}.",),
    "judged-images-unread": (
        "It could not read {unread} of {images} images; each counts as called wrongly.",
    ),
    "judged-site-below-floor": (
        "At {site} it finds {found} of {of} malignant images only.",
    ),
    "judged-sites-kept": (
        "At none of {sites} sites does it find fewer malignant images than {floor:.0%} by more "
        "than chance.",
    ),
    "judged-one-site": (
        "The malignant test images are of one site, or of sites without names, so nothing is known "
        "of differences between sites.",
    ),
    "judged-left-out-sites-unknown": (
        "It was trained on images of one site, or its recipe was not judged at sites left out, so "
        "nothing is known of another hospital.",
    ),
    "judged-left-out-sites-uncompared": (
        "Fitted without each of {sites} sites in turn, it has an AUC of {auc:.3f} there; there was "
        "nothing to compare it with.",
    ),
    "judged-left-out-sites-worse": (
        f"{_LEFT_OUT}: inferior to a simpler model at a hospital that it has not seen.",
    ),
    "judged-left-out-sites-kept": (f"{_LEFT_OUT}.",),
    "judged-roi-kind-worse": (
        "Read with {kind}: AUC {auc:.3f}, live {live:.3f}, difference {difference:+.3f} "
        "({level:.1%} interval {low:+.3f} to {high:+.3f}): inferior.",
    ),
    "judged-roi-kind-auc-below-floor": (
        "Read with {kind}: AUC {auc:.3f}, below {floor:g} by more than chance.",
    ),
    "judged-roi-kind-sensitivity-below-floor": (
        "Read with {kind}, it finds {found} of {of} malignant images only; at least {floor:.0%} "
        "are required.",
    ),
    "judged-roi-kinds-kept": (
        "With none of {kinds} kinds of ROI does it do worse than required by more than chance; "
        "lowest AUC {lowest:.3f}, with {kind}.",
    ),
    "judged-roi-kinds-not-judged": (
        "Fewer than {least} malignant or benign test images have an ROI, so nothing is known of "
        "differences between outlines, boxes and none.",
    ),
    "judged-sensitivity-uncertain": (
        "The interval of its sensitivity reaches down to {low:.0%}, below the floor of "
        "{floor:.0%}. More malignant test images narrow it.",
    ),
    "judged-calibration-off-at-size": (
        f"Nodules under {{below_mm:g}} mm: on {_SIZE_CALIBRATION}",
        f"Nodules of {{from_mm:g}} mm and more: on {_SIZE_CALIBRATION}",
        f"Nodules of {{from_mm:g}} to under {{below_mm:g}} mm: on {_SIZE_CALIBRATION}",
    ),
    "judged-calibrated-by-size": (
        "Its risks are calibrated at each of {sizes} sizes of nodules; their largest error is "
        "{largest:.3f}, within the limit or within chance.",
    ),
    "judged-sizes-not-judged": (
        "No size group of nodules has {least} test images whose size is known, so nothing is known "
        "of its calibration by size.",
    ),
}
"""The gate's judgement of each of its criteria, by code."""

ROI_KINDS = {
    "roi-kind-outline": ("the outline as ROI",),
    "roi-kind-box": ("its box as ROI",),
    "roi-kind-loose-box": ("a box off by up to 30 % as ROI",),
    "roi-kind-none": ("no ROI",),
}
"""Kinds of ROI, within a sentence of the gate."""

OBJECTIONS = {
    "objection-unjudged": ("The gate has not judged this model against the live one.",),
    "objection-failed": ("The gate failed this model. {against}",),
    "objection-not-judged": ("The gate could not judge this model. {against}",),
    "objection-passed": (
        "The gate passed this model when none was live, and {live} is live now. Have it judged "
        "again.",
        "The gate passed this model when model {before} was live, and {live} is live now. Have "
        "it judged again.",
    ),
}
"""Objections of the gate against a promotion."""

SHADOWS = {
    "shadow-stopped": ("An operator stopped it.", "{reason}"),
    "shadow-promoted": ("The model was promoted.",),
    "shadow-live-again": ("The model was made live again.",),
}
"""Reasons why the shadow evaluation of a model ended, besides the errors of its bundle."""

ERRORS = {
    "single-class": (
        "All {count} labelled images are {label}. Add images of the other class, then train again.",
    ),
    "too-few-samples": (
        "There are {benign} benign and {malignant} malignant patients (an image whose patient is "
        "unknown counts as one); cross-validation needs at least {needed} of each. Add labelled "
        "images, then train again.",
    ),
    "too-few-site-images": (
        "There are {count} images of this site to take its statistics from; they need at least "
        "{needed}. Add images of the site; they need no label.",
    ),
    "group-on-both-sides": (
        "{count} patients (an image whose patient is unknown counts as one) are in training and in "
        "test, {examples} among them. Put all images of a patient on one side.",
    ),
    "features-not-finite": (
        "The {features} features of this image are not finite numbers, so it cannot be read. "
        "Outline the nodule again.",
    ),
    "none-readable": (
        "None of the {count} images could be read (the reason for the first: {code}). Look at the files and "
        "outlines, then train again.",
    ),
    "region-empty": (
        "The region of interest holds no pixel, so it has no features. Outline the nodule again.",
    ),
    "feature-family-unknown": (
        "There is no feature family `{family}`. Known: {known}.",
    ),
    "texture-invalid": (
        "Texture cannot be measured with {levels} grey levels at a distance of {distance} px. "
        "Take 2 to {most} levels, 16 or 256 by custom, and a distance of 1 or more.",
    ),
    "stage-unknown": (
        "The network {network} has no stage {stage!r} to freeze. Choose `frozen` from: {known}; "
        "or leave it out.",
    ),
    "tuning-diverged": (
        "Tuning ran away at every rate tried ({rates}). Give smaller `rates` in the recipe's "
        "table `tuning`.",
    ),
    "trains-on-test-images": (
        "{count} training images of this version are in a locked test set, {example} among them. "
        "Remove them from the dataset or move them to its test part, freeze it again and train "
        "on the new version.",
    ),
    "table-lost": (
        "The table that joined the features of this run is gone from the object store. Start the "
        "run again: the features of each image are kept, so they are not computed again.",
    ),
    "network-unknown": ("There is no network {name!r}. Choose one of: {known}.",),
    "tap-unknown": ("The network {network} has no tap {tap!r}. Choose from: {known}.",),
    "weights-missing": (
        "The pre-trained weights of {network} are missing: no {files} in {folder}, and "
        "{download}. Put the file into a folder and name that folder in SERA_WEIGHTS_DIR; "
        "docs/networks.md says where it is from.",
    ),
    "weights-unpublished": (
        "There are no pre-trained weights of {network}: it is trained by us, from nothing. Set "
        '`tuning = "phantoms"` for it in the recipe, or choose another network.',
    ),
    "weights-unreadable": (
        "The weight file {file} does not fit {network} ({problem}). Replace it by one that "
        "docs/networks.md names for this network.",
    ),
    "bundle-missing": (
        "There is no bundle in {folder}: it holds no manifest.json. Give the folder that a "
        "training run wrote.",
    ),
    "bundle-unreadable": (
        "The bundle's {part} cannot be read ({problem}). Fetch the bundle again, or train anew.",
    ),
    "bundle-format-unknown": (
        "The bundle is of format {format}, and this SERA reads the formats {readable}. Update "
        "SERA if the bundle is newer, or train anew.",
    ),
    "bundle-tampered": (
        "The bundle's {part} is not what was saved: its digest differs. Do not use it; fetch the "
        "bundle again.",
    ),
    "bundle-not-reproduced": (
        "The bundle scores golden case {case} with {found:.4f} here, and with {expected:.4f} "
        "when it was saved. Install the library versions in its manifest, or train anew.",
    ),
    "bundle-outlines-not-reproduced": (
        "The bundle outlines golden picture {case} differently here than when it was saved "
        "(Dice {dice:.3f}). Install the library versions in its manifest, or train anew.",
    ),
    "untrusted-type": (
        "The bundle's {part} holds objects of types that SERA does not load: {types}. Do not use "
        "it.",
    ),
}
"""Errors of workers and trainers that the gateway words without loading their modules.

The texts are those of the error classes.
"""

TABLES = {
    "table-no-file": ("there is no such file",),
    "table-unreadable": ("it cannot be opened ({reason})",),
    "table-encoding": (
        "its line {line} is neither UTF-8 nor UTF-16 nor CP949, so its letters are unknown. "
        "Save the table again as CSV UTF-8",
    ),
    "table-not-korean": (
        "its line {line} is not UTF-8 and reads in CP949 as text that is not Korean ({sample}), so "
        "its letters are unknown. Save the table again as CSV UTF-8",
    ),
    "table-separator": (
        "its first line names the delimiter {separator!r}. Take a comma, a semicolon, a tab or a "
        "vertical bar",
    ),
    "table-line-ends": (
        "every row has more cells than its line {line} names columns, and the last are empty. Take "
        "the delimiter from the end of each row, or name the column that has no name",
    ),
    "table-csv": ("its line {line} cannot be read as CSV ({reason})",),
    "table-quote": (
        "a quotation mark of its line {line} is not closed where the cell ends. Close it there, "
        "write a quotation mark inside a cell twice, or take the marks out",
        "a cell that begins with a quotation mark in line {line} runs to line {last_line} and "
        "takes other cells with it. Close it where it ends, write a quotation mark inside a cell "
        "twice, or take the marks out",
    ),
    "table-too-wide": (
        "its line {line} names {columns} columns, and a table may have {most}. Is the file "
        "turned on its side, or not a table of images?",
    ),
    "table-too-long": ("it has more than {most} rows. Divide it into several tables",),
    "table-too-large": (
        "it is larger than {limit_mib} MiB. Divide it into several tables",
    ),
    "table-column-twice": (
        "its line {line} names {name} twice ({count} columns), and SERA does not know which of "
        "them counts. Keep one",
    ),
    "table-column-numbered": (
        "its line {line} names {name} beside {original}, as programs number a column that is there "
        "twice, and SERA does not know which of them counts. Keep one, or give {name} a name "
        "without a number",
    ),
    "table-column-slip": (
        "its line {line} names a column {name!r}. Did you mean {meant}? Write {meant}, or rename "
        "the column",
    ),
    "table-column-cm": (
        "its line {line} names a column {name!r}, which is in cm. Convert its values to mm (1.2 cm "
        "is 12) and name the column {meant}",
    ),
    "table-columns-missing": ("its first line lacks {columns}",),
    "table-no-rows": ("it has no rows",),
    "table-row": (
        "its line {line} cannot be used: {problem}",
        "its line {line} cannot be used: {problem}; {others} more lines cannot be used either",
    ),
}
"""Reasons why a table of images is refused as a whole: a part of a sentence, without its end."""

ROWS = {
    "row-too-long": (
        "it has {cells} cells under {columns} columns, so the cells may have shifted. Write a "
        "decimal comma as a point (12.5), and put text with a delimiter into quotation marks",
    ),
    "row-too-short": (
        "it has {cells} cells under {columns} columns, so the cells may have shifted. Leave an "
        "empty cell between two delimiters where nothing is known",
    ),
    "row-damaged": (
        "its column {column} holds characters that were lost when the table was saved. Save it "
        "again as CSV UTF-8 from where it was made",
    ),
    "row-control": (
        "its column {column} holds control characters, such as a line break. Take them out",
    ),
    "row-unlabelled": (
        "it has no label. Write 1 for malignant or 0 for benign into its column malignant",
    ),
    "row-label": (
        "the label {label!r} is neither 0 nor 1, nor another word for benign or malignant that "
        "the user guide lists",
    ),
    "row-label-ambiguous": (
        "the label {label!r} is benign of a nodule and positive of a test, and no other label of "
        "the table says which is meant. Write 0 for benign and 1 for malignant",
    ),
    "row-contradiction": (
        "the same image is malignant in line {malignant} and benign in line {benign}. Keep the "
        "line with the right label",
    ),
    "row-size-large": (
        "it has the size_mm {size!r}, which is above {most:g} mm. Are its decimal point and its "
        "unit right?",
    ),
    "row-size": ("it has the size_mm {size!r}, which is no number of mm above 0",),
    "row-size-comma": (
        "it has the size_mm {size!r} with a decimal comma. Write {point}",
    ),
    "row-split": ("the split {split!r} is neither train nor test",),
    "row-file-outside": (
        "{name} is not a file below the table's folder: it is an absolute path, goes up with `..`, "
        "or is a link. Copy the file into the folder",
    ),
    "row-file-ambiguous": (
        "two files in the folder are named {name} in different Unicode forms. Rename one of them",
    ),
}
"""Reasons why a row of a table is refused: a part of a sentence, without its end."""

TEXTS: dict[str, tuple[str, ...]] = (
    ERRORS
    | JOBS
    | RUNS
    | INTERNAL
    | STEPS
    | PROGRESS
    | GATE
    | ROI_KINDS
    | OBJECTIONS
    | SHADOWS
    | TABLES
    | ROWS
)
"""All texts, with those of the error classes that are loaded."""


def add_text(code: str, text: str) -> None:
    """Add the text of an error class to the texts of its code."""
    texts = TEXTS.get(code, ())
    if text not in texts:
        TEXTS[code] = (*texts, text)
