from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared.learning import GroupInTrainAndTest
from shared.study.errors import (
    FoldersAlike,
    ImageAtTwoSites,
    NothingToStudy,
    RowInvalid,
)
from shared.study.folder import LabelledFolder

WriteFolder = Callable[..., Path]


@pytest.fixture
def write_folder(tmp_path: Path, pictures: dict[str, bytes]) -> WriteFolder:
    """Writes a folder with a manifest and the pictures that it names."""

    def write(name: str, manifest: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for file_name, content in pictures.items():
            if file_name in manifest:
                (folder / file_name).write_bytes(content)
        (folder / "manifest.csv").write_text(manifest)
        return folder

    return write


def test_each_folder_is_a_site_unless_its_rows_name_one(write_folder):
    folder = LabelledFolder.open(
        write_folder("here", "image,malignant,patient\na.png,1,7\nb.png,0,8\n"),
        write_folder(
            "there", "image,malignant,patient,site\nc.png,1,7,\nd.png,0,9,x\n"
        ),
    )
    samples = folder.samples()
    assert [sample.site for sample in samples] == ["here", "here", "there", "x"]
    assert [sample.group for sample in samples] == [
        "patient here/7",
        "patient here/8",
        "patient there/7",
        "patient x/9",
    ]
    assert [image.name for image in folder.images] == [
        "here/a.png",
        "here/b.png",
        "there/c.png",
        "there/d.png",
    ]
    assert folder.count_shared_patient_names == 1


def test_a_single_folder_is_no_site(write_folder):
    folder = LabelledFolder.open(write_folder("here", "image,malignant\na.png,1\n"))
    assert (folder.images[0].site, folder.images[0].name) == (None, "a.png")


def test_a_patient_of_one_site_in_two_folders_is_one_patient(write_folder):
    manifest = "image,malignant,patient,site\n{}\n"
    folder = LabelledFolder.open(
        write_folder("first", manifest.format("a.png,1,P-7,North")),
        write_folder("second", manifest.format("b.png,1,p\N{EN DASH}7,NORTH ")),
    )
    first, second = folder.samples()
    assert first.group == second.group == "patient North/P-7"


def test_a_patient_held_out_in_one_folder_and_studied_in_another_is_refused(
    write_folder,
):
    manifest = "image,malignant,patient,site,split\n{}\n"
    with pytest.raises(GroupInTrainAndTest):
        LabelledFolder.open(
            write_folder("first", manifest.format("a.png,1,7,north,train")),
            write_folder(
                "second",
                manifest.format("b.png,1,7,north,test\nc.png,0,8,north,train"),
            ),
        )


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_image_in_two_folders_is_refused(write_folder, split):
    manifest = "image,malignant,split\n{}\n"
    here = write_folder("here", manifest.format("a.png,1,train\nb.png,0,train"))
    there = write_folder("there", manifest.format(f"c.png,1,train\na.png,1,{split}"))
    with pytest.raises(ImageAtTwoSites, match=r"1 images .*here/a.png and there/a.png"):
        LabelledFolder.open(here, there)


def test_a_copy_in_another_format_is_the_same_image(write_folder):
    here = write_folder("here", "image,malignant\na.png,1\n")
    there = write_folder("there", "image,malignant\ncopy.bmp,1\n")
    pixels = cv2.imread(str(here / "a.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(there / "copy.bmp"), pixels)
    with pytest.raises(ImageAtTwoSites, match=r"here/a\.png and there/copy\.bmp"):
        LabelledFolder.open(here, there)


def test_an_image_at_two_sites_of_one_folder_is_refused(write_folder):
    manifest = (
        "image,malignant,mask,site\na.png,1,mask.png,north\na.png,1,,south\n"
        "b.png,0,,north\n"
    )
    with pytest.raises(ImageAtTwoSites):
        LabelledFolder.open(write_folder("both", manifest))


def test_an_unreadable_file_in_two_folders_is_refused_too(write_folder):
    paths = [
        write_folder(name, "image,malignant\nbroken.png,1\n") for name in ("p", "q")
    ]
    for path in paths:
        (path / "broken.png").write_bytes(np.arange(9, dtype=np.uint8).tobytes())
    with pytest.raises(ImageAtTwoSites):
        LabelledFolder.open(*paths)


def test_folders_of_one_name_are_refused(write_folder):
    manifest = "image,malignant\n{},1\n"
    paths = [
        write_folder("one/data", manifest.format("a.png")),
        write_folder("two/Data", manifest.format("b.png")),
    ]
    with pytest.raises(FoldersAlike, match="Data"):
        LabelledFolder.open(*paths)


def test_a_folder_without_labels_among_others_is_named(write_folder):
    here = write_folder("here", "image,malignant\na.png,1\n")
    there = write_folder("there", "image,malignant\nb.png,\n")
    with pytest.raises(NothingToStudy, match=r"there/manifest\.csv"):
        LabelledFolder.open(here, there)


def test_a_bad_row_is_named_with_its_folder(write_folder):
    here = write_folder("here", "image,malignant\na.png,1\n")
    there = write_folder("there", "image,malignant\nb.png,1\ngone.png,0\n")
    with pytest.raises(RowInvalid, match=r"there/manifest.csv.* line 3 "):
        LabelledFolder.open(here, there)
