from pathlib import Path

import pytest

from shared.domain.datasets.manifest import (
    ManifestInvalid,
    parse_table,
    read_manifest,
    read_table,
    reader_columns,
)


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "manifest.csv").write_text(text, encoding=encoding)
    return folder


def test_rows_keep_their_line_numbers_and_lie_in_the_folder(tmp_path: Path) -> None:
    rows = read_manifest(write(tmp_path, "malignant,image\n1,a.png\n0,sub/b.png\n"))
    assert [(row.line, row.image, row.malignant) for row in rows] == [
        (2, tmp_path / "a.png", "1"),
        (3, tmp_path / "sub" / "b.png", "0"),
    ]


def test_only_what_is_filled_in_is_sent(tmp_path: Path) -> None:
    head = "image,malignant,mask,patient,site,size_mm,split,tirads,remark\n"
    full, bare = read_manifest(
        write(
            tmp_path,
            f"{head} a.png , 1 ,m.gif,p-1,north, 12.5 ,test,5,old\nb.png,0,,, ,,,,\n",
        )
    )
    assert full.mask == tmp_path / "m.gif"
    assert full.fields == {
        "patient": "p-1",
        "site": "north",
        "size_mm": "12.5",
        "split": "test",
        "tirads": "5",
    }
    assert (full.image, full.malignant) == (tmp_path / "a.png", "1")
    assert (bare.mask, bare.fields) == (None, {})


def test_a_manifest_saved_by_a_spreadsheet_with_a_byte_order_mark_is_read(
    tmp_path: Path,
) -> None:
    assert (
        len(
            read_manifest(
                write(tmp_path, "image,malignant\r\na.png,1\r\n", "utf-8-sig")
            )
        )
        == 1
    )


def test_a_row_cut_short_is_kept_for_the_gateway_to_refuse(tmp_path: Path) -> None:
    row = read_manifest(write(tmp_path, "image,malignant,site\na.png\n"))[0]
    assert (row.malignant, row.fields) == ("", {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks image, malignant"),
        ("image;malignant\na.png;1\n", "lacks image, malignant"),
        ("image,label\na.png,1\n", "lacks malignant"),
        ("image,malignant\n" + "x" * 200_000 + ",1\n", "cannot be read as CSV"),
    ],
)
def test_a_manifest_that_is_no_table_of_images_says_what_it_lacks(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ManifestInvalid, match=message):
        read_manifest(write(tmp_path, text))


def test_a_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match="UTF-8"):
        read_manifest(write(tmp_path, "image,malignant\nkröpfchen.png,1\n", "latin-1"))


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match="no such file"):
        read_manifest(tmp_path)


def test_reader_columns_hold_what_people_said(tmp_path: Path) -> None:
    rows = read_manifest(
        write(
            tmp_path,
            "image,malignant,reader_kim,reader_lee,reader_\na.png,1, 1 ,,2\nb.png,0,,3.5,\n",
        )
    )
    assert [row.readers for row in rows] == [{"kim": "1"}, {"lee": "3.5"}]
    assert reader_columns(rows) == ("kim", "lee")


def test_an_image_keeps_the_name_it_has_in_the_manifest(tmp_path: Path) -> None:
    row = read_manifest(write(tmp_path, "image,malignant\n sub/../a.png ,1\n"))[0]
    assert row.name == "sub/../a.png"


def test_a_manifest_for_prediction_needs_images_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "image,mask\na.png,m.png\n") / "manifest.csv"
    row = read_table(path, required_columns=("image",))[0]
    assert (row.image, row.mask, row.malignant) == (
        tmp_path / "a.png",
        tmp_path / "m.png",
        "",
    )
    with pytest.raises(ManifestInvalid, match="lacks image"):
        read_table(
            write(tmp_path, "picture\na.png\n") / "manifest.csv",
            required_columns=("image",),
        )


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    rows = read_manifest(write(tmp_path, "image,malignant\n\na.png,1\n\nb.png,0\n"))
    assert [row.line for row in rows] == [3, 5]


def test_a_manifest_that_came_as_text_keeps_its_names_as_they_are() -> None:
    (row,) = parse_table(
        "\ufeffimage,malignant,mask\r\n../a//b.png,1,./m.png\r\n", "The manifest"
    )
    assert (row.line, row.name, row.mask_name) == (2, "../a//b.png", "./m.png")
    with pytest.raises(
        ManifestInvalid,
        match="The manifest cannot be imported: its first line lacks image, malignant",
    ):
        parse_table("", "The manifest")
