"""Files whose tokenizers or states are damaged: named, and no tracebacks."""

import shutil

import pytest

from export import metadata, runtime


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spacing": {"!": 1}}, 'are damaged, source: beside "!" stand two'),
        ({"spacing": {"!": [1, 2]}}, 'are damaged, source: beside "!" stand'),
        ({"words": 3}, 'are damaged, source: "words" must be a list'),
    ],
)
def test_a_tokenizer_that_is_damaged_is_named(
    text_files, tmp_path, change, message
):
    path = text_files.translator.paths["onnx"]
    about = metadata.read(path)
    about["text"]["source"] |= change
    copied = shutil.copy(path, tmp_path / path.name)
    metadata.write(copied, about)
    with pytest.raises(runtime.ModelError, match=message):
        runtime.load(copied).translate("Go on")


def test_a_longest_text_that_is_no_number_is_named(text_files, tmp_path):
    path = text_files.translator.paths["onnx"]
    about = metadata.read(path)
    about["text"]["longest_source"] = "long"
    copied = shutil.copy(path, tmp_path / path.name)
    metadata.write(copied, about)
    with pytest.raises(runtime.ModelError, match="`longest_source`.*'long'"):
        runtime.load(copied).translate("Go on")


@pytest.mark.parametrize(
    "states",
    [
        {"sequences": ["x"], "next": {}},
        {"sequences": [], "next": {}},
        {"sequences": ["inputs"], "next": {"gru": "elsewhere"}},
        {"sequences": ["inputs"], "next": {"other": "gru_next"}},
    ],
)
def test_states_that_the_file_does_not_have_are_named(
    text_files, tmp_path, states
):
    path = text_files.writer.paths["onnx:streaming"]
    about = metadata.read(path)
    copied = shutil.copy(path, tmp_path / path.name)
    metadata.write(copied, about | {"states": about["states"] | states})
    with pytest.raises(runtime.ModelError, match="says of its states does not"):
        runtime.stream(copied)
