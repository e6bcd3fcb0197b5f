import time
import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from shared.domain.datasets.manifest import (
    UNICODE_FORMS,
    ManifestInvalid,
    check_no_refused,
    find_file,
    parse_manifest,
    read_manifest,
    read_table,
    reader_columns,
)
from shared.domain.datasets.summary import group_rows, summarise
from tests.support.manifests import parse, problems, rows_of

Form = Literal["NFC", "NFD"]
KOREAN = "갑상선.png"


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "manifest.csv").write_bytes(text.encode(encoding))
    return folder


def test_rows_keep_their_line_numbers_and_lie_in_the_folder(tmp_path: Path) -> None:
    text = "malignant,image\n1,a.png\n0,sub/b.png\n"
    rows = read_manifest(write(tmp_path, text)).rows
    assert [(row.line, row.image, row.malignant) for row in rows] == [
        (2, tmp_path / "a.png", True),
        (3, tmp_path / "sub" / "b.png", False),
    ]


def test_only_what_is_filled_in_is_sent(tmp_path: Path) -> None:
    head = "image,malignant,mask,patient,site,size_mm,split,tirads,remark\n"
    body = " a.png , 1 ,m.gif,p-1,north, 12.5 ,Test,5,old\nb.png,0,,, ,,,,\n"
    full, bare = read_manifest(write(tmp_path, head + body)).rows
    assert full.mask == tmp_path / "m.gif"
    assert full.fields == {
        "patient": "p-1",
        "site": "north",
        "size_mm": "12.5",
        "split": "test",
        "tirads": "5",
    }
    assert (full.image, full.malignant) == (tmp_path / "a.png", True)
    assert (bare.mask, bare.fields) == (None, {})


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("cp949", "CP949"),
    ],
)
def test_the_encoding_is_recognised_and_said(encoding: str, said: str) -> None:
    text = "image,malignant,patient,비고\r\na.png,1,홍길동,단단한 결절\r\nb.png,0,가나다,\r\n"
    manifest = parse(text.encode(encoding))
    assert manifest.encoding == said
    assert [row.fields["patient"] for row in manifest.rows] == ["홍길동", "가나다"]
    assert manifest.ignored_columns == ("비고",)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("is_named", [True, False])
def test_the_delimiter_is_recognised_and_said(delimiter: str, is_named: bool) -> None:
    first = f"sep={delimiter}\n" if is_named else ""
    table = "image,malignant,size_mm\na.png,1,12.5\n".replace(",", delimiter)
    manifest = parse(first + table)
    (row,) = manifest.rows
    assert (manifest.delimiter, row.fields["size_mm"]) == (delimiter, "12.5")
    assert row.line == (3 if is_named else 2)


def test_a_line_that_names_the_delimiter_may_be_filled_up_with_it() -> None:
    manifest = parse("sep=;;;\nimage;malignant\na.png;1\n")
    assert (manifest.delimiter, manifest.row_count) == (";", 1)


def test_blank_lines_above_the_names_do_not_hide_the_delimiter() -> None:
    assert [row.line for row in rows_of("\n\nimage;malignant\na.png;1\n")] == [4]


@pytest.mark.parametrize(
    ("encoding", "site"),
    [("latin-1", "Ärzte"), ("latin-1", "Ågren"), ("gbk", "北京医院")],
)
def test_letters_that_are_only_by_chance_cp949_are_refused_with_a_sample(
    encoding: str, site: str
) -> None:
    data = f"image,malignant,site\na.png,1,\nb.png,0,{site}\n".encode(encoding)
    sample = site.encode(encoding).decode("cp949")
    with pytest.raises(ManifestInvalid, match=rf"line 3 is not UTF-8 .*\({sample}\)"):
        parse(data)


def test_a_rare_syllable_among_common_ones_is_korean_and_shown() -> None:
    text = "image,malignant,site,비고\na.png,1,서울병원,확인됬다\n"
    manifest = parse(text.encode("cp949"))
    assert manifest.rows[0].fields["site"] == "서울병원"
    assert manifest.sample == "비고 서울병원 확인됬다"
    assert parse(text).sample == ""


def test_rows_that_all_end_with_one_more_delimiter_are_refused_in_one_sentence() -> (
    None
):
    with pytest.raises(ManifestInvalid, match="every row has more cells"):
        parse("image,malignant\na.png,1,\nb.png,0,\n")


def test_lines_end_as_any_system_ends_them() -> None:
    for end in ("\n", "\r\n", "\r"):
        text = "image,malignant\na.png,1\nb.png,0\n".replace("\n", end)
        assert [row.line for row in rows_of(text)] == [2, 3]


def test_rows_with_more_or_fewer_cells_are_refused_with_their_line() -> None:
    manifest = parse(
        "image,size_mm,malignant\na.png,12,5,0\nb.png,9,1,0\nc.png,8,0\nd.png,7\n"
        "e.png,12.5,1,\n"
    )
    assert problems(manifest) == [
        (2, "row-too-long"),
        (3, "row-too-long"),
        (5, "row-too-short"),
        (6, "row-too-long"),
    ]
    assert [row.name for row in manifest.rows] == ["c.png"]
    assert "decimal comma" in str(manifest.refused[0].problem)


@pytest.mark.parametrize(
    "cell",
    ["12,5", "1_2", "１２", "12.5 mm", "1.2cm", "0", "-3", "nan", "inf", "1e400"],
)
def test_a_size_is_a_plain_number_above_0(cell: str) -> None:
    manifest = parse(f"image;malignant;size_mm\na.png;1;{cell}\n")
    ((line, code),) = problems(manifest)
    assert line == 2
    assert code == ("row-size-comma" if cell == "12,5" else "row-size")


def test_a_size_is_at_most_that_of_a_form() -> None:
    text = "image,malignant,size_mm\na.png,1,300\nb.png,1,301\nc.png,0,1e3\n"
    manifest = parse(text)
    assert problems(manifest) == [(3, "row-size-large"), (4, "row-size-large")]
    assert "above 300 mm" in str(manifest.refused[0].problem)


def test_an_image_with_both_labels_is_refused_with_both_lines() -> None:
    text = (
        "image,malignant,mask\na.png,1,\n./a.png,0,\nb.png,1,b1.png\nb.png,0,b2.png\n"
        "c.png,1,\nc.png,1,\nd.png,,\nd.png,0,\n"
    )
    manifest = parse(text)
    assert problems(manifest) == [(2, "row-contradiction"), (3, "row-contradiction")]
    assert "malignant in line 2 and benign in line 3" in str(manifest.refused[1].error)


def test_a_decimal_comma_is_refused_with_what_to_write() -> None:
    refused = parse('image,malignant,size_mm\na.png,1,"12,5"\n').refused
    assert "Write 12.5" in str(refused[0].error)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a.png,1,"hard\nb.png,0,soft\nc.png,1,5" from skin\nd.png,0,plain\n', 2),
        ('a.png,1,soft\nb.png,0,"hard\nc.png,1,soft\n', 3),
        ('a.png,1,"hard\nb.png,0,soft"\n', 2),
        ('a.png,"1,x\nb.png,0",soft\n', 2),
        ('a.png,1,x\nb.png,0,"hard" node\n', 3),
    ],
)
def test_a_quotation_mark_that_swallows_rows_is_refused_with_its_line(
    text: str, line: int
) -> None:
    with pytest.raises(
        ManifestInvalid, match=f"quotation mark (in|of its) line {line} "
    ):
        parse("image,malignant,comment\n" + text)


def test_quotation_marks_that_are_closed_are_read() -> None:
    manifest = parse(
        "image,malignant,comment\n"
        'a.png,1,"hard, ""tall"" node"\nb.png,0,5" from skin\nc.png,1,"first\nsecond"\n'
        "d.png,0,\n"
    )
    assert [row.line for row in manifest.rows] == [2, 3, 4, 6]
    assert (manifest.line_count, manifest.row_count) == (5, 4)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("image,malignant,size_mm,malignant", "line 1 names malignant twice"),
        ("image,malignant,note,note", "line 1 names note twice"),
        ("image,Malignant", "'Malignant'. Did you mean malignant"),
        ("image,malignant,Patient", "'Patient'. Did you mean patient"),
        ("image,malignant,pat ient", "Did you mean patient"),
        ("image,malignant,pati\u200bent", "Did you mean patient"),
        ("image,malignant,pateint", "Did you mean patient"),
        ("image,malignant,patient_id", "Did you mean patient"),
        ("image,malignent", "Did you mean malignant"),
        ("imgae,malignant", "Did you mean image"),
        ("images,malignant", "Did you mean image"),
        ("image,malignant,maks", "Did you mean mask"),
        ("image,malignant,masks", "Did you mean mask"),
        ("image,malignant,stie", "Did you mean site"),
        ("image,malignant,spilt", "Did you mean split"),
        ("image,malignant,size", "Did you mean size_mm"),
        ("image,malignant,size mm", "Did you mean size_mm"),
        ("image,malignant,size_cm", "in cm. Convert its values to mm .* name the"),
        ("image,malignant,Size (cm)", "in cm. Convert its values to mm"),
        ("image,malignant,diameter_cm", "in cm. Convert its values to mm"),
        (f"{'i' * 200_000},malignant", "line 1 cannot be read as CSV"),
        ("image,malignant,size_nm", "Did you mean size_mm"),
        ("image,malignant,TI-RADS", "Did you mean tirads"),
        ("image,malignant,Reader_kim", "Did you mean reader_kim"),
        ("image,malignant,reader-kim", "Did you mean reader_kim"),
        ("image,malignant,raeder_kim", "Did you mean reader_kim"),
        ("image,label", "Did you mean malignant"),
        ("picture,malignant", "lacks image"),
        ("", "lacks image, malignant"),
        (",".join(["image", "malignant", *map(str, range(3000))]), "3002 columns"),
        ("image malignant", "lacks image, malignant"),
        ("image,malignant,malignant.1", "names malignant.1 beside malignant"),
        ("image,image2,malignant", "names image2 beside image"),
        ("image,malignant,mask,mask_2", "names mask_2 beside mask"),
        ("image,malignant,size_mm,size_mm 1", "names size_mm 1 beside size_mm"),
        ("image,malignant,reader_kim,reader_kim.1", "reader_kim.1 beside reader_kim"),
        ("image,malignant,reader1,reader2", "Did you mean reader_1"),
    ],
)
def test_a_header_that_cannot_be_trusted_is_refused(header: str, message: str) -> None:
    with pytest.raises(ManifestInvalid, match=message):
        parse(f"{header}\n{','.join('x' * len(header.split(',')))}\n")


@pytest.mark.parametrize(
    ("meant", "names"),
    {
        "mask": "mask_path|Mask name|segmentation|mask_1|마스크",
        "patient": "patient_code|Patient ID#|mrn|pid|subject|subject_id|환자번호|차트번호",
        "site": "hospital|hospitals|site_id|center|Centre name|병원|기관명",
        "size_mm": "nodule_size_mm|diameter|max_diameter_mm|크기|size_mm2|최대직경",
        "split": "subset",
    }.items(),
)
def test_another_name_of_a_column_that_is_not_there_is_refused(
    meant: str, names: str
) -> None:
    for name in names.split("|"):
        with pytest.raises(ManifestInvalid, match=f"Did you mean {meant}"):
            parse(f"image,malignant,{name}\na.png,1,x\n")
        manifest = parse(
            f"image,malignant,{meant},{name}\na.png,1,,x\n".replace(
                ",size_mm2", ",diameter"
            ).replace(",mask_1", ",segmentation")
        )
        assert len(manifest.ignored_columns) == 1


def test_other_columns_are_ignored_and_named() -> None:
    names = [
        *("nodules", "composition", "echogenicity", "margin", "foci", "age", "sex"),
        *("side", "mass", "mark", "date", "name", "patient_age", "patient_sex"),
        *("image_width", "size_mm_ap", "bi_rads", "eu_tirads", "reader"),
        *("diagnosis", "comment", "reader_", "case", "fold", "dataset"),
        *("set", "split_1", "split_2", "tirads_2"),
    ]
    cells = ",".join("x" for _ in names)
    manifest = parse(f"image,malignant,{','.join(names)},\na.png,1,{cells},\n")
    assert manifest.ignored_columns == (*names, f"#{len(names) + 3}")
    assert (len(manifest.rows), manifest.refused) == (1, ())


@pytest.mark.parametrize("letter", ["_", " _", "1", "1.", "."])
def test_a_very_long_name_of_a_column_is_read_once(letter: str) -> None:
    name = "x" + letter * 60_000 + "x"
    manifest = parse(f"image,malignant,{name}\na.png,1,x\n")
    assert manifest.ignored_columns == (name,)


def test_a_very_long_line_that_names_a_delimiter_is_read_once() -> None:
    with pytest.raises(ManifestInvalid):
        parse(f"sep={' ' * 200_000}x\nimage,malignant\na.png,1\n")


def test_an_roi_is_read_from_its_cell_and_distinguishes_nodules() -> None:
    rois = ('{"box": [4, 5, 60, 40]}', '{"box": [80, 5, 60, 40]}')
    cells = ['"{}"'.format(roi.replace('"', '""')) for roi in rois]
    lines = f"a.png,1,{cells[0]}\na.png,0,{cells[1]}\n"
    manifest = parse(f"image,malignant,roi\n{lines}")
    assert [row.fields["roi"] for row in manifest.rows] == list(rois)
    assert manifest.refused == ()


def test_a_name_that_is_meant_differently_counts_if_the_column_is_there() -> None:
    manifest = parse("image,malignant,size_mm,size_cm\na.png,1,12,1.2\n")
    assert manifest.ignored_columns == ("size_cm",)


def test_spellings_of_a_site_that_count_as_one_are_named() -> None:
    rows = "".join(f"a.png,1,{site}\n" for site in ("A B", "AB", "a b", "A B", "C"))
    manifest = parse(f"image,malignant,site\n{rows}")
    assert manifest.joined_sites == {"A B": ("AB", "a b")}
    assert summarise(manifest).sites == {"A B": 4, "C": 1}


def test_a_long_line_of_names_is_read_with_the_delimiter_that_fits() -> None:
    names = [f"{number}{'n' * 1000}" for number in range(200)]
    header = ",".join(["image", "malignant", *names])
    manifest = parse(f"{header}\na.png,1{',' * len(names)}\n")
    assert (manifest.delimiter, manifest.row_count) == (",", 1)


def test_long_names_of_columns_are_not_compared_letter_by_letter() -> None:
    names = [f"{number}{'malignan' * 1600}" for number in range(400)]
    began_at = time.process_time()
    manifest = parse(f"image,malignant,{','.join(names)}\n")
    assert manifest.ignored_columns == tuple(names)
    assert time.process_time() - began_at < 20


def test_a_table_above_the_rows_that_are_allowed_is_refused_while_it_is_read() -> None:
    rows = "a.png,1\n" * 3
    text = f"image,malignant\n{rows}"
    assert parse_manifest(text, source_name="t", max_rows=3).row_count == 3
    with pytest.raises(ManifestInvalid, match="it has more than 3 rows"):
        parse_manifest(f'{text}a.png,1\n"', source_name="t", max_rows=3)


def test_a_row_without_a_label_has_none() -> None:
    (row,) = rows_of("image,malignant,site\na.png,,x\n")
    assert row.malignant is None


def test_text_that_was_lost_before_is_refused() -> None:
    manifest = parse("image,malignant,patient\na.png,1,\ufffd\ufffd\n")
    assert problems(manifest) == [(2, "row-damaged")]


def test_control_characters_are_refused() -> None:
    text = 'image,malignant,patient\na.png,1,P\0001\nb.png,1,"P\n1"\nc\0.png,1,P1\n'
    assert problems(parse(text)) == [(line, "row-control") for line in (2, 3, 5)]


def test_a_quotation_mark_left_open_in_the_last_line_is_refused() -> None:
    with pytest.raises(
        ManifestInvalid, match="quotation mark of its line 2 is not closed"
    ):
        parse('image,malignant,note\na.png,1,"hard')


def test_a_patient_and_a_site_have_the_spelling_that_came_first() -> None:
    decomposed = unicodedata.normalize("NFD", "홍길동")
    rows = rows_of(
        "image,malignant,patient,site\n"
        f"a.png,1,홍길동,Nord\nb.png,0,{decomposed},NORD\nc.png,0,P-01,nord \n"
        "d.png,0,ｐ－０１,Süd\ne.png,0,\u200b,\u200b\n"
    )
    assert [row.fields.get("patient") for row in rows] == [
        "홍길동",
        "홍길동",
        "P-01",
        "P-01",
        None,
    ]
    assert [row.fields.get("site") for row in rows] == ["Nord"] * 3 + ["Süd", None]


@pytest.mark.parametrize("written", UNICODE_FORMS)
@pytest.mark.parametrize("stored", UNICODE_FORMS)
def test_a_file_is_found_in_either_unicode_form(
    tmp_path: Path, written: str, stored: str
) -> None:
    path = tmp_path / unicodedata.normalize(stored, KOREAN)
    path.write_bytes(b"x")
    name = unicodedata.normalize(written, KOREAN)
    text = f"image,malignant\n{name},1\n"
    (row,) = read_manifest(write(tmp_path, text)).rows
    assert row.image.read_bytes() == b"x"


def test_a_file_is_taken_as_it_is_written_though_the_other_form_is_there(
    tmp_path: Path,
) -> None:
    composed, decomposed = (
        unicodedata.normalize("NFC", KOREAN),
        unicodedata.normalize("NFD", KOREAN),
    )
    (tmp_path / composed).write_bytes(b"composed")
    (tmp_path / decomposed).write_bytes(b"decomposed")
    for name in (composed, decomposed):
        assert find_file(tmp_path, name) == tmp_path / name
    half_composed = composed[:1] + decomposed[3:]
    text = f"image,malignant\n{half_composed},1\n"
    manifest = read_manifest(write(tmp_path, text))
    assert problems(manifest) == [(2, "row-file-ambiguous")]


def test_a_manifest_that_is_no_csv_is_refused(tmp_path: Path) -> None:
    text = "image,malignant\n" + "x" * 200_000 + ",1\n"
    with pytest.raises(ManifestInvalid, match="line 2 cannot be read as CSV"):
        read_manifest(write(tmp_path, text))


def test_a_manifest_in_another_encoding_is_refused_with_its_line(
    tmp_path: Path,
) -> None:
    text = "image,malignant\na.png,1\nkröpfchen.png,1\n"
    with pytest.raises(ManifestInvalid, match="line 3 is neither UTF-8"):
        read_manifest(write(tmp_path, text, "latin-1"))


def test_another_delimiter_is_refused_by_name() -> None:
    with pytest.raises(ManifestInvalid, match="delimiter ':'"):
        parse("sep=:\nimage:malignant\na.png:1\n")


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match="no such file"):
        read_manifest(tmp_path)


def test_reader_columns_hold_what_people_said() -> None:
    rows = rows_of(
        "image,malignant,reader_kim,reader_lee,reader_\na.png,1, 1 ,,2\nb.png,0,,3.5,\n"
    )
    assert [row.readers for row in rows] == [{"kim": "1"}, {"lee": "3.5"}]
    assert reader_columns(rows) == ("kim", "lee")


def test_a_manifest_that_came_as_text_keeps_its_names_as_they_are() -> None:
    (row,) = rows_of("\ufeffimage,malignant,mask\r\n../a//b.png,1,./m.png\r\n")
    assert (row.line, row.name, row.mask_name) == (2, "../a//b.png", "./m.png")


def test_a_manifest_for_prediction_needs_images_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "image,mask,malignant\na.png,m.png,?\n") / "manifest.csv"
    (row,) = read_table(path, required_columns=("image",)).rows
    assert (row.image, row.mask, row.malignant) == (
        tmp_path / "a.png",
        tmp_path / "m.png",
        None,
    )
    with pytest.raises(ManifestInvalid, match="lacks image"):
        read_table(
            write(tmp_path, "picture\na.png\n") / "manifest.csv",
            required_columns=("image",),
        )


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    rows = rows_of("image,malignant\n\na.png,1\n,\nb.png,0\n")
    assert [row.line for row in rows] == [3, 5]


def test_a_command_that_needs_every_row_names_the_first_that_is_refused() -> None:
    manifest = parse("image,malignant\na.png,1\nb.png\nc.png,x\n")
    with pytest.raises(ManifestInvalid, match=r"line 3 .* 1 more lines"):
        check_no_refused(manifest, Path("manifest.csv"))
    check_no_refused(parse("image,malignant\na.png,1\n"), Path("manifest.csv"))


def test_equal_refusals_are_one_group_with_its_lines() -> None:
    lines = [*["x.png,1,2"] * 140, "y.png,1", *["z.png"] * 2, "w.png,maybe"]
    manifest = parse("image,malignant\n" + "\n".join(lines))
    groups = group_rows(
        (row.line, row.name, str(row.error)) for row in manifest.refused
    )
    assert [(group.line_ranges, len(group.lines)) for group in groups] == [
        ("2-141", 140),
        ("143-144", 2),
        ("145", 1),
    ]


def test_a_summary_counts_patients_of_a_site_and_sizes() -> None:
    summary = summarise(
        parse(
            "image,malignant,patient,site,size_mm,split,mask\n"
            "a.png,1,P1,Nord,4.5,test,m.png\nb.png,0,p1,nord,12,train,\n"
            "c.png,0,p1,Süd,,,\nd.png,,,,,,\ne.png,x,,,,,\n"
        )
    )
    assert (summary.rows, summary.refused, summary.with_mask) == (5, 1, 1)
    assert (summary.malignant, summary.benign, summary.without_label) == (1, 2, 1)
    assert (summary.patients, summary.without_patient) == (2, 1)
    assert (summary.sites, summary.splits) == (
        {"Nord": 2, "Süd": 1},
        {"test": 1, "train": 1},
    )
    assert (summary.with_size, summary.sizes) == (2, (4.5, 12.0))
