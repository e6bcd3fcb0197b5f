from markupsafe import Markup

from services.api.web.page import PAGES
from services.api.web.tables import cards

HEAD = (
    '<thead><tr><td></td><th scope="col"><b>Size</b>\n "of"</th>'
    '<th scope="col">Acts</th></tr></thead>'
)


def test_a_cell_has_its_columns_name_and_every_part_its_role():
    row = '<tr><th scope="row">x</th><td class="number">3</td></tr>'
    html = cards(f'<table id="a">{HEAD}<tbody>{row}</tbody></table>')
    assert isinstance(html, Markup)
    assert (
        '<table role="table" id="a"><thead role="rowgroup"><tr role="row"><td role="cell">'
        in html
    )
    assert '<th role="columnheader" scope="col"><b>Size</b>' in html
    body = html.partition("</thead>")[2]
    assert body == (
        '<tbody role="rowgroup"><tr role="row"><th role="rowheader" scope="row">x</th>'
        '<td role="cell" data-label="Size &quot;of&quot;" class="number">3</td></tr>'
        "</tbody></table>"
    )


def test_wide_labelled_and_button_cells_get_no_label():
    rows = (
        '<tr><td colspan="3">none</td></tr>'
        '<tr><td>x</td><td data-label="own">y</td><td class="acts">z</td></tr>'
    )
    body = cards(f"<table>{HEAD}<tbody>{rows}</tbody></table>").partition("</thead>")[2]
    assert body.count("data-label") == 1


def test_columns_are_counted_over_wide_cells_and_from_the_start_in_each_table():
    head = (
        '<thead><tr><th scope="col">A</th><th scope="col" colspan="2">B</th>'
        '<th scope="col">C</th></tr></thead>'
    )
    row = "<tbody><tr><td>1</td><td>2</td><td>3</td><td>4</td></tr></tbody>"
    body = cards(f"<table>{head}{row}</table>")
    assert [f'"{name}"' in body for name in "ABC"] == [True] * 3
    assert body.partition(">3<")[0].endswith('role="cell"')
    html = cards(f"<table>{HEAD}{row}</table><table>{head}{row}</table>")
    second_table = html.rpartition("<table")[2]
    assert 'data-label="Size' not in second_table


def test_values_of_a_template_stay_escaped():
    template = PAGES.env.from_string(
        "{% filter cards %}<table><thead><tr><th>{{ value }}</th></tr></thead>"
        "<tr><td>{{ value }}</td></tr></table>{% endfilter %}"
    )
    page = template.render(value='"><script>')
    assert "<script>" not in page
    assert 'data-label="&#34;&gt;&lt;script&gt;"' in page
