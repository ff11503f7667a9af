from __future__ import annotations

import pytest

from topdown.errors import TopologyError
from topdown.formats.preprocessor import preprocess


def _texts(tmp_path, text, defines=None, **others):
    for name, content in others.items():
        path = tmp_path / (name.replace("__", "/") + ".itp")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    (tmp_path / "a.top").write_text(text)
    return [line.text for line in preprocess(tmp_path / "a.top", defines)]


def test_comments_blanks_and_continuations(tmp_path):
    assert _texts(tmp_path, "a  b ; c\n\n;\n x \\\n y ; z\nlast\\\n") == ["a b", "x y", "last"]


def test_lines_know_where_they_stood(tmp_path):
    (tmp_path / "b.itp").write_text("\nin b\n")
    (tmp_path / "a.top").write_text('first\n#include "b.itp"\n\\\nlast\n')
    found = [(line.text, line.where.rpartition("/")[2]) for line in preprocess(tmp_path / "a.top")]
    assert found == [("first", "a.top:1"), ("in b", "b.itp:2"), ("last", "a.top:3")]


def test_macros_are_replaced_as_words_and_again(tmp_path):
    text = "#define b_x 0.4 k_x\n#define k_x 5000\n1 2 1 b_x\nb_xy b_x-1\n#undef b_x\nb_x\n"
    assert _texts(tmp_path, text) == ["1 2 1 0.4 5000", "b_xy 0.4 5000-1", "b_x"]


def test_a_macro_without_text_only_switches(tmp_path):
    assert _texts(tmp_path, "#define A\nA\n#ifdef A\nyes\n#else\nno\n#endif\n") == ["A", "yes"]


def test_nested_conditionals(tmp_path):
    text = "#ifndef X\n#ifdef Y\n1\n#else\n2\n#define Z 9\n#endif\n#else\n#ifdef Y\n3\n#endif\n4\n#endif\nZ\n"
    assert _texts(tmp_path, text) == ["2", "9"]
    assert _texts(tmp_path, text, {"X": ""}) == ["4", "Z"]
    assert _texts(tmp_path, text, {"X": "", "Y": ""}) == ["3", "4", "Z"]


def test_inactive_branches_are_not_followed(tmp_path):
    assert _texts(tmp_path, '#ifdef NO\n#include "missing.itp"\n#nonsense\n#define A 1\n#endif\nA\n') == ["A"]


def test_includes_are_found_beside_the_including_file_and_at_the_top(tmp_path):
    got = _texts(
        tmp_path, '#include "sub/b.itp"\n', sub__b='#include "c.itp"\n#include <d.itp>\n', sub__c="near\n", d="top\n"
    )
    assert got == ["near", "top"]


def test_a_file_may_be_included_twice(tmp_path):
    assert _texts(tmp_path, '#include "b.itp"\n#include "b.itp"\n', b="x\n") == ["x", "x"]


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ('#include "nothing.itp"\n', "a.top:1", "not there"),
        ('\n#include "a.top"\n', "a.top:2", "includes itself"),
        ("#include nothing.itp\n", "a.top:1", "file name"),
        ("x\n#ifdef A\ny\n", "a.top:2", "without #endif"),
        ("#endif\n", "a.top:1", "without #ifdef"),
        ("#else\n", "a.top:1", "without #ifdef"),
        ("#ifdef A\n#else\n#else\n#endif\n", "a.top:3", "second #else"),
        ("#ifdef\n", "a.top:1", "one name"),
        ("#define a-b 1\n", "a.top:1", "plain name"),
        ("#if 1\n", "a.top:1", "not a directive"),
        ("#define A B\n#define B A\nA\n", "a.top:3", "itself"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, where, message):
    with pytest.raises(TopologyError, match=message) as caught:
        _texts(tmp_path, text)
    assert caught.value.where == str(tmp_path / where)


def test_an_unreadable_top(tmp_path):
    with pytest.raises(TopologyError, match="No such file"):
        list(preprocess(tmp_path / "nothing.top"))
    with pytest.raises(TopologyError, match="directory"):
        list(preprocess(tmp_path))
