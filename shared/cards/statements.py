"""Statements of every model card: intended use, limits, and published figures for context.

L19 = Lee et al., Sci Rep 9:19854 (2019). K20 = Koh et al., Sci Rep 10:15245 (2020).
"""

DEVICE = (
    "SERA is for research and decision support. It is not a certified medical device."
)
INTENDED = (
    "A second opinion on B-mode ultrasound images of single thyroid nodules of 10 mm or more, "
    "for a qualified reader who has seen the patient or the examination, confirms the region of "
    "interest and the size, and decides.",
    "Teaching, and research on such images.",
)
NOT_INTENDED = (
    "The sole ground for a diagnosis, for a fine-needle aspiration, or for leaving one out.",
    "Nodules under 10 mm: the published studies had none so small (K20).",
    "Ruling out follicular cancer: in Kang 2021 the AUC was 0.925 for conventional papillary "
    "cancers and 0.499 for follicular ones.",
    "Nodules of undetermined cytology (AUS/FLUS): AUC 0.666 in Youn 2021.",
    "Doppler, elastography and other overlays, and images of anything but a thyroid nodule.",
)
SYNTHETIC_INTENDED = (
    "Trying out the software. The model has seen drawn phantoms only.",
)
SYNTHETIC_NOT_INTENDED = ("Any patient. Its answers mean nothing for one.",)
LIMITS = (
    "The figures come from cross-validation on the training images: the same hospitals, machines "
    "and labellers. Expect less elsewhere; K20's AUC fell from 0.898-0.937 at its own hospital "
    "to 0.821-0.885 at three others.",
    "Intervals treat images as independent; several images of one patient make them too narrow.",
    "A risk holds at the prevalence it was carried to. A hospital that states a wrong prevalence "
    "gets wrong risks.",
    "Operating points and conformal sets suppose that new cases are like the training cases of "
    "their class. Sets are cross-conformal: their promise is close to exact, not exact.",
    "There are no figures by age, sex, nodule size or machine.",
    "Photographs of a screen lose quality; one study had an AUC of 0.82 from them (Cho 2023). "
    "SERA warns of some bad ones and cannot see every one.",
)
RISK_INTERVAL = (
    "Venn-Abers: over many cases like the training images, the share of malignant nodules lies "
    "between the mean lower and the mean upper end of their intervals. For one patient there is no "
    "guarantee. An interval is widened where it does not contain the risk."
)
NO_SITES = (
    "The training images do not say where they come from, so nothing is known of differences "
    "between hospitals."
)
UNKNOWN_PATIENTS = (
    "For {unknown} of {images} images the patient is not known. Two images of one patient may "
    "then stand on both sides of a fold, which flatters the figures."
)
PUBLISHED = (
    {
        "source": "L19",
        "what": "CNN 1, 150 images",
        "figure": "sensitivity 96 %, specificity 90 %",
    },
    {
        "source": "L19",
        "what": "CNN 2, 150 images",
        "figure": "sensitivity 94 %, specificity 94 %",
    },
    {
        "source": "L19",
        "what": "CNN 3, 150 images",
        "figure": "sensitivity 98 %, specificity 86 %",
    },
    {
        "source": "L19",
        "what": "Faculty 1 and 2, 150 images",
        "figure": "sensitivity 91 and 76 %, specificity 52, 96 %",
    },
    {"source": "K20", "what": "CNNs, own hospital", "figure": "AUC 0.898-0.937"},
    {
        "source": "K20",
        "what": "CNNs, three other hospitals",
        "figure": "AUC 0.821-0.885",
    },
    {"source": "K20", "what": "Radiologists, own hospital", "figure": "AUC 0.840"},
)
PUBLISHED_NOTE = (
    "Other models on other images. They give a sense of scale and cannot be compared with the "
    "figures above."
)
