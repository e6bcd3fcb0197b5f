from pathlib import Path

import numpy as np
import pytest

from shared.domain.datasets.manifest import ManifestInvalid
from shared.imaging import Framing
from shared.learning import GroupInTrainAndTest
from shared.study.errors import NothingToStudy, RowInvalid
from shared.study.folder import LabelledFolder, reader_rows
from shared.study.results import Section


def test_labelled_rows_become_samples_in_the_manifests_order(open_folder):
    folder = open_folder(
        "image,malignant,patient,site\nb.png,1,p1,north\na.png,0,,\nc.png,,,\n"
    )
    assert [(image.name, image.malignant) for image in folder.images] == [
        ("b.png", True),
        ("a.png", False),
    ]
    assert folder.count_unlabelled == 1
    first, second = folder.samples()
    assert (first.group, first.site) == ("patient north/p1", "north")
    assert second.group == f"image {second.key}"
    assert folder.names_by_key == {first.key: "b.png", second.key: "a.png"}


def test_a_sample_is_cut_out_by_its_mask_with_the_margin(open_folder):
    folder = open_folder("image,malignant,mask\na.png,1,mask.png\n")
    close, wide = (folder.samples()[0].load(Framing(margin)) for margin in (0.0, 0.2))
    assert close.has_outline
    assert close.pixels.shape < wide.pixels.shape < (96, 96)


def test_an_empty_mask_counts_as_none(open_folder):
    nodule = (
        open_folder("image,malignant,mask\na.png,1,empty.png\n")
        .samples()[0]
        .load(Framing())
    )
    assert nodule.pixels.shape == (96, 96)
    assert not nodule.has_outline


ROI = '"{""box"": [10, 20, 40, 30]}"'


def test_a_sample_is_cut_out_by_its_roi_if_the_mask_marks_nothing(open_folder):
    folder = open_folder(
        f"image,malignant,mask,roi\na.png,1,empty.png,{ROI}\nb.png,0,mask.png,{ROI}\n"
    )
    boxed, masked = (sample.load(Framing()) for sample in folder.samples())
    assert boxed.pixels.shape == (30, 40)
    assert masked.has_outline
    assert masked.pixels.shape != boxed.pixels.shape
    assert folder.outlined_share == 1.0


def test_an_roi_is_part_of_the_key_and_a_bad_one_is_named_by_its_line(open_folder):
    [plain] = open_folder("image,malignant\na.png,1\n").samples()
    [boxed] = open_folder(f"image,malignant,roi\na.png,1,{ROI}\n").samples()
    assert plain.key != boxed.key
    with pytest.raises(RowInvalid, match=r"line 3.*not JSON"):
        open_folder("image,malignant,roi\na.png,1,\nb.png,0,somewhere\n")


def test_a_key_names_image_and_mask(open_folder):
    plain = open_folder("image,malignant\na.png,1\nb.png,0\n").samples()
    masked = open_folder("image,malignant,mask\na.png,1,mask.png\nb.png,0,\n").samples()
    assert plain[0].key != masked[0].key
    assert plain[1].key == masked[1].key


def test_an_image_listed_twice_is_studied_once(open_folder):
    folder = open_folder("image,malignant\na.png,1\nb.png,0\na.png,1\n")
    assert ([image.name for image in folder.images], folder.count_repeated) == (
        ["a.png", "b.png"],
        1,
    )


def test_an_image_with_both_labels_under_two_names_is_left_out_and_named(
    open_folder, tmp_path, pictures
):
    (tmp_path / "copy.png").write_bytes(pictures["a.png"])
    folder = open_folder("image,malignant\na.png,1\nb.png,0\ncopy.png,0\n")
    assert [image.name for image in folder.images] == ["b.png"]
    assert folder.contradictory_images == ("a.png", "copy.png")


def test_a_table_that_gives_one_image_both_labels_is_refused(open_folder):
    with pytest.raises(RowInvalid, match="malignant in line 2 and benign in line 4"):
        open_folder("image,malignant\na.png,1\nb.png,0\na.png,0\n")


def test_two_nodules_of_one_image_stay_together_though_the_patient_is_unknown(
    open_folder,
):
    first, second, third = open_folder(
        "image,malignant,mask\na.png,1,mask.png\na.png,0,\nb.png,0,\n"
    ).samples()
    assert first.group == second.group != third.group


def test_rows_held_out_for_a_test_are_not_studied(open_folder):
    folder = open_folder(
        "image,malignant,split\na.png,1,train\nb.png,0,\nc.png,1,test\n"
    )
    assert [image.name for image in folder.images] == ["a.png", "b.png"]
    assert folder.count_held_out == 1


@pytest.mark.parametrize(
    "manifest",
    [
        "image,malignant,patient,split\na.png,1,p1,train\nb.png,1,p1,test\n",
        "image,malignant,split\na.png,1,train\na.png,1,test\n",
        "image,malignant,patient,split\na.png,1,p1,train\na.png,1,p2,test\n",
    ],
)
def test_a_patient_or_an_image_on_both_sides_is_refused(open_folder, manifest):
    with pytest.raises(GroupInTrainAndTest):
        open_folder(manifest)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("gone.png,1,,,", r"line 3 .* gone\.png cannot be opened \(No such file"),
        (",1,,,", "line 3 .* names no image"),
        ("b.png,maybe,,,", "line 3 .* label 'maybe' is neither 0 nor 1"),
        ("b.png,1,gone.gif,,", r"line 3 .* gone\.gif cannot be opened"),
        ("b.png,1,,half,", "line 3 .* split 'half' is neither train nor test"),
        ("b.png,1,,,high", "line 3 .* reader_kim says 'high', which is no number"),
        ("b.png,1,,,nan", "line 3 .* reader_kim says 'nan'"),
    ],
)
def test_a_bad_row_is_named_by_its_line(open_folder, row, message):
    with pytest.raises(RowInvalid, match=message):
        open_folder(f"image,malignant,mask,split,reader_kim\na.png,1,,,\n{row}\n")


def test_further_bad_rows_are_counted(open_folder):
    with pytest.raises(RowInvalid, match="2 more lines"):
        open_folder("image,malignant\nx.png,1\ny.png,1\nz.png,0\n")


@pytest.mark.parametrize("manifest", ["image,malignant\n", "image,malignant\na.png,\n"])
def test_a_folder_without_labels_has_nothing_to_study(open_folder, manifest):
    with pytest.raises(NothingToStudy, match="1 for malignant"):
        open_folder(manifest)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path):
    with pytest.raises(ManifestInvalid, match="no such file"):
        LabelledFolder.open(tmp_path)


JUDGED = """image,malignant,reader_kim,reader_lee,reader_park
a.png,1,1,4,
b.png,0,0,2,1
c.png,1,,5,0
d.png,0,1,1,
"""


def test_people_who_decide_and_people_who_rate_become_rows(open_folder):
    kim, lee, park = reader_rows(open_folder(JUDGED), range(4))
    assert {row.section for row in (kim, lee, park)} == {Section.READERS}
    assert (kim.scores, kim.decisions.tolist(), kim.judgement_mask.tolist()) == (
        None,
        [True, False, False, True],
        [True, True, False, True],
    )
    np.testing.assert_array_equal(lee.scores, [4, 2, 5, 1])
    assert lee.decisions.tolist() == [True, False, True, False]
    assert lee.facts["cut-off"] == "3, by Youden over all images judged, so flattering"
    assert park.judgement_mask.tolist() == [False, True, True, False]


def test_people_are_asked_about_the_studys_images_alone(open_folder):
    folder = open_folder(JUDGED)
    kim, lee = reader_rows(folder, [3, 0])
    assert kim.decisions.tolist() == [True, True]
    assert lee.scores.tolist() == [1, 4]


def test_a_rating_person_whose_ratings_part_nothing_calls_nothing(open_folder):
    row = reader_rows(
        open_folder("image,malignant,reader_x\na.png,1,3\nb.png,0,3\n"), range(2)
    )[0]
    assert not row.decisions.any()
    assert row.facts["cut-off"].startswith("none")


def test_outlined_pictures_without_a_label_are_kept_for_the_outline_network(
    open_folder,
):
    folder = open_folder(
        "image,malignant,mask,patient,split\n"
        "a.png,1,mask.png,p1,\nb.png,,mask.png,P1,\nc.png,,,p2,\nd.png,,mask.png,,test\n"
    )
    (picture,) = folder.outlined
    (sample,) = folder.samples()
    assert picture.group == sample.group
    assert picture.read().roi is not None


@pytest.mark.parametrize(
    "row", ["a.png,,mask.png,p3,", "c.png,,mask.png,p2,", "gone.png,,mask.png,p3,"]
)
def test_no_picture_of_a_labelled_row_or_a_test_patient_is_kept(open_folder, row):
    folder = open_folder(
        "image,malignant,mask,patient,split\n"
        f"a.png,1,mask.png,p1,\nb.png,0,,p2,test\n{row}\n"
    )
    assert folder.outlined == ()
