"""The table of docs/recurrent.md: how every cell leaves in every form."""

import keras
import numpy as np
import pytest

import export
from export.explanation import BUILTIN
from export.formats import FORMATS
from tests.conftest import ROOT
from tests.export.recurrent_forms import CELLS, FEATURES, UNITS, layers

PAGE = ROOT / "docs" / "recurrent.md"
BEGIN, END = "<!-- formats: begin -->\n", "<!-- formats: end -->\n"
TITLES = {
    "elman": "SimpleRNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "gru_reset_before": "GRU, `reset_after=False`",
    "peephole_lstm": "PeepholeLSTM",
}


def one_of_each(make):
    """A model with a layer, or two, of every form; and their names."""
    x = keras.Input((None, FEATURES), name="x")
    full = {"return_sequences": True}
    both = layers.Bidirectional(make(UNITS, **full), name="bidirectional")
    lower = make(UNITS, name="stacked_1", **full)(x)
    outputs = {
        "plain": make(UNITS, name="plain", **full)(x),
        "last": make(UNITS, name="last")(x),
        "stacked": make(UNITS, name="stacked_2", **full)(lower),
        "bidirectional": both(x),
        "backwards": make(UNITS, name="backwards", go_backwards=True)(x),
        "masked": make(UNITS, name="masked", **full)(layers.Masking()(x)),
    }
    return keras.Model(x, outputs), list(outputs)


def table():
    """Rows of the table, from what the converters really wrote."""
    head = ["layer", "form", *(item.title for item in FORMATS.values())]
    rows = [head, ["---"] * len(head)]
    for cell, (make, _, _) in CELLS.items():
        model, forms = one_of_each(make)
        told = export.explain(model)
        assert not told.whole
        for form in forms:
            kinds = {name: set() for name in FORMATS}
            for item in told.layers:
                if item.layer.split("_")[0] != form:
                    continue
                for name in FORMATS:
                    kinds[name].add(item.routes[name].kind)
            title = TITLES[cell] if form == forms[0] else ""
            rows.append(
                [title, form, *(" and ".join(kinds[n]) for n in FORMATS)]
            )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


@pytest.mark.slow
def test_the_page_says_how_every_cell_leaves(tmp_path):
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    held, tail = rest.split(END)
    found = table()
    assert BUILTIN + " |" not in found  # no recurrent layer without a loop
    if held != found:
        new = tmp_path / PAGE.name
        new.write_text(head + BEGIN + found + END + tail)
        pytest.fail(f"The table is old: cp {new} {PAGE}")


def test_the_page_holds_all_cells_and_refuses_none():
    held = PAGE.read_text().split(BEGIN)[1].split(END)[0]
    rows = held.splitlines()[2:]
    assert len(rows) == len(CELLS) * 6
    assert np.all([title in held for title in TITLES.values()])
    assert "refused" not in held
