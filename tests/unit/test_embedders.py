"""The embedders: right vectors, from any text, under load; and typed errors."""

from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from memplug.embedders.checked import checked
from memplug.embedders.hashing import HashingEmbedder
from memplug.embedders.pieces import Piece, all_pieces, batches, pieces
from memplug.embedders.rows import unit_rows
from memplug.embedders.wordllama import WordLlamaEmbedder
from memplug.exceptions import ConfigError, PluginError

if TYPE_CHECKING:
    from pathlib import Path

    from memplug.plugins.protocols import Embedder

TEXTS = [
    "I like spicy food",
    "The dinner was hot and tasty",
    "Quarterly tax report for 2026",
    "我喜欢吃辣",
    "naïve café",
]
HOSTILE = [
    "",
    " \n\t",
    "\x00",
    "\ud800",
    "a\udfffb",
    "👩‍👩‍👧" * 50,
    "a" * 50_000,
    "我" * 20_000,
    "\u202eabc",
    "'; DROP TABLE",
    "?",
]


@pytest.fixture(params=["wordllama", "wordllama-64", "hashing", "hashing-64"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    """Each embedder that works offline, checked."""
    name, _, argument = request.param.partition("-")
    return checked(WordLlamaEmbedder(argument) if name == "wordllama" else HashingEmbedder(argument))


def test_rows_are_unit_length_and_repeatable(embedder: Embedder) -> None:
    """The same text gives the same vector, in a batch or alone, stored or asked."""
    rows = embedder.embed(TEXTS)
    assert rows.shape == (len(TEXTS), embedder.dimension)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    for text, row in zip(TEXTS, rows, strict=True):
        assert np.array_equal(embedder.embed_query(text), row)
        assert np.array_equal(embedder.embed([text])[0], row)


def test_hostile_texts_get_a_vector_or_zeros(embedder: Embedder) -> None:
    """Blank texts are zeros, and nothing raises; the others of the batch are as they were."""
    rows = embedder.embed([*HOSTILE, *TEXTS])
    assert not rows[:2].any()
    assert np.array_equal(rows[-len(TEXTS) :], embedder.embed(TEXTS))
    assert embedder.embed([]).shape == (0, embedder.dimension)
    assert not embedder.embed_query("").any()


def test_like_words_are_nearer_than_others(embedder: Embedder) -> None:
    """An inflected form is nearer than another topic."""
    query = embedder.embed_query("spicy foods")
    near = embedder.embed(TEXTS) @ query
    assert near.argmax() == 0


def test_threads_get_the_same_vectors(embedder: Embedder) -> None:
    """Eight threads at once change nothing in each other's answers."""
    texts = [f"{text} {number}" for number in range(40) for text in TEXTS]
    expected = embedder.embed(texts)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for rows in pool.map(lambda _: embedder.embed(texts), range(16)):
            assert np.array_equal(rows, expected)


def test_a_text_of_megabytes_takes_little_memory(embedder: Embedder) -> None:
    """One long text costs no more than a few megabytes beside itself, and does not lose its meaning."""
    text = "the soup was spicy and the noodles were hot " * 40_000
    tracemalloc.start()
    row = embedder.embed([text])[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000
    assert row @ embedder.embed_query("the soup was spicy and the noodles were hot") > 0.95


def test_wordllama_gives_what_its_own_package_gives() -> None:
    """Reading the model without the package, and without its padding, changes no vector; nor does cutting a text."""
    long = "some words about dinner, tax and noodles " * 500
    program = """
import json, pathlib, sys, wordllama
folder = pathlib.Path(wordllama.__file__).parent
model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
print(json.dumps(model.embed(json.load(sys.stdin), norm=True).tolist()))
"""
    texts = [*TEXTS, long.strip()]
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True)
    assert np.allclose(WordLlamaEmbedder().embed(texts), json.loads(ended.stdout), atol=1e-5)


def test_wordllama_leaves_the_hosts_logging_alone() -> None:
    """The package sets up the root logger at import; a library must not, so it is never imported."""
    program = """
import logging, sys
from memplug.embedders.wordllama import WordLlamaEmbedder
WordLlamaEmbedder().embed(["a"])
print(logging.getLogger().handlers, logging.getLogger().level, "wordllama" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("[] 30 False\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_wordllama_survives_a_fork() -> None:
    """A child made after the first use embeds as well, and no warning is printed."""
    program = """
import os
from memplug.embedders.wordllama import WordLlamaEmbedder
embedder = WordLlamaEmbedder()
before = embedder.embed(["hello"] * 100)
child = os.fork()
if child == 0:
    os._exit(0 if (embedder.embed(["hello"] * 100) == before).all() else 1)
print(os.waitpid(child, 0)[1])
"""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("0\n", "")


def test_names_say_which_space_it_is() -> None:
    """Another dimension is another space; no argument means the default."""
    assert [WordLlamaEmbedder(one).name for one in ("", "256", "64")] == [
        "wordllama:l2_supercat:256",
        "wordllama:l2_supercat:256",
        "wordllama:l2_supercat:64",
    ]
    assert (HashingEmbedder().name, HashingEmbedder("1024").dimension) == ("hashing:256", 1024)


@pytest.mark.parametrize("argument", ["63", "65537", "0", "-64", "x", "64.0", "²", " "])
def test_an_argument_that_is_none_is_refused(argument: str) -> None:
    """A dimension is a number inside its bounds."""
    with pytest.raises(ConfigError, match="hashing"):
        HashingEmbedder(argument)
    with pytest.raises(ConfigError, match="wordllama"):
        WordLlamaEmbedder(argument)


def test_hashing_is_the_same_on_every_machine() -> None:
    """The vector of a text is fixed for good: stores outlive processes."""
    row = HashingEmbedder("64").embed_query("Spicy food")
    assert np.flatnonzero(row).tolist() == FIXED
    program = (
        "from memplug.embedders.hashing import HashingEmbedder as H; print(H('64').embed_query('Spicy food').tolist())"
    )
    environ = os.environ | {"PYTHONHASHSEED": "7"}
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    assert json.loads(ended.stdout) == row.tolist()


FIXED = [3, 10, 19, 21, 41, 45, 51, 52, 61]


def test_pieces_hold_the_whole_text() -> None:
    """Nothing but white space is lost at the cuts, and no piece is over its size."""
    text = "one two  three\nfour " * 50 + "x" * 95 + " end"
    found = list(pieces(text, 30))
    assert max(map(len, found)) <= 30
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(piece.split()[0] in text.split() for piece in found if "x" not in piece)
    assert list(pieces("   ", 2)) == list(pieces("", 2)) == []
    assert list(pieces("ab", 2)) == ["ab"]
    assert list(pieces("abc", 2)) == ["ab", "c"]


def test_batches_keep_to_both_limits() -> None:
    """A batch ends at its number of pieces or characters, whichever comes first; a single long piece passes."""
    found = list(all_pieces(["aa", "", "bb", "c" * 9, "d"], 100))
    assert [piece.row for piece in found] == [0, 2, 3, 4]
    sizes = [[len(piece.text) for piece in batch] for batch in batches(found, count=2, characters=5)]
    assert sizes == [[2, 2], [9], [1]]
    assert list(batches([], count=2, characters=5)) == []
    assert list(batches([Piece(row=0, text="a")] * 3, count=2, characters=5))[1] == [Piece(row=0, text="a")]


def test_rows_of_any_size_become_unit_rows() -> None:
    """Neither huge nor tiny numbers overflow on the way."""
    given = rows([3, 4], [0, 0], [3e30, 4e30], [3e-30, 4e-30], [6e-8, 8e-8])
    expected = rows([0.6, 0.8], [0, 0], [0.6, 0.8], [0, 0], [0.6, 0.8])
    assert np.allclose(unit_rows(given), expected)


class Fake:
    """A third party's embedder that returns what it was made with."""

    name = "fake"
    dimension = 2

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def embed(self, texts: Any) -> Any:
        """The answer, or its error."""
        del texts
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def embed_query(self, text: str) -> Any:
        """The answer's first row."""
        return self.embed([text])[0]


def rows(*values: list[float], dtype: Any = np.float32) -> Any:
    """An array."""
    return np.array(values, dtype=dtype)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([[1.0, 0.0]], "list instead of a numpy array"),
        (None, "NoneType"),
        (rows([1, 0], [1, 0]), r"shape \(2, 2\) instead of \(1, 2\)"),
        (rows([1, 0, 0]), r"shape \(1, 3\)"),
        (np.ones(2, dtype=np.float32), r"shape \(2,\)"),
        (rows([1, 0], dtype=np.float64), "float64 instead of float32"),
        (rows([np.nan, 0]), "not finite"),
        (rows([np.inf, 0]), "not finite"),
        (rows([3e38, 3e38]), "unit length"),
        (rows([1, 1]), "unit length"),
        (rows([0.99, 0]), "unit length"),
        (ValueError("no memory left"), "raised ValueError: no memory left"),
    ],
)
def test_a_broken_embedder_is_noticed(answer: Any, words: str) -> None:
    """A wrong vector is an error at once, with the embedder's name, and never gets into a store."""
    with pytest.raises(PluginError, match=words) as caught:
        checked(Fake(answer)).embed(["a"])
    assert (caught.value.plugin, caught.value.hook) == ("fake", "embed")


def test_a_sound_embedder_passes() -> None:
    """Unit rows and rows of zeros come through as they are; typed errors too; checking twice is once."""
    answer = rows([0.6, 0.8], [0, 0])
    embedder = checked(Fake(answer))
    assert embedder.embed(["a", "b"]) is answer
    assert np.array_equal(embedder.embed_query("a"), answer[0])
    assert checked(embedder) is embedder
    with pytest.raises(ConfigError):
        checked(Fake(ConfigError("no model"))).embed(["a"])


@pytest.mark.parametrize("dimension", [0, -1, "256", None, True, 2.0])
def test_a_dimension_is_a_whole_number(dimension: Any) -> None:
    """Nothing else gets into the store's profile."""
    fake = Fake(rows([1, 0]))
    fake.dimension = dimension
    with pytest.raises(PluginError, match="whole number"):
        _ = checked(fake).dimension


STAND_IN = """
import numpy as np
class SentenceTransformer:
    def __init__(self, name):
        if name == "missing":
            raise OSError("no such model")
        self.name = name
    def get_sentence_embedding_dimension(self):
        return 2
    def encode(self, texts, convert_to_numpy, show_progress_bar):
        assert texts and max(map(len, texts)) <= 1000
        return np.array([[3.0 * len(t), 4.0 * len(t)] for t in texts], dtype=np.float32)
    def encode_query(self, texts, convert_to_numpy, show_progress_bar):
        return np.array([[1.0, 0.0] for t in texts], dtype=np.float32)
"""

INSTALL = "pip install 'memplug[sentence-transformers]'"

USE = """
import sys
from memplug.plugins.manager import PluginManager
from memplug.embedders.checked import checked
from memplug.exceptions import MemplugError
try:
    embedder = checked(PluginManager(environ={}, discover=False).embedder(sys.argv[1]))
    rows = embedder.embed(["a b", "", "c " * 3000])
    print(embedder.name, (rows * 10).round().astype(int).tolist(), embedder.embed_query("q").tolist())
except MemplugError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("code", "spec", "expected"),
    [
        (STAND_IN, "sentence-transformers:x/y", "sentence-transformers:x/y [[6, 8], [0, 0], [6, 8]] [1.0, 0.0]"),
        (STAND_IN, "sentence-transformers:missing", "ConfigError the model 'missing' cannot be loaded: no such model"),
        (
            "raise ImportError('not installed')",
            "sentence-transformers",
            f"MissingExtra the embedder 'sentence-transformers' needs its extra: {INSTALL}",
        ),
    ],
    ids=["there", "no model", "not installed"],
)
def test_sentence_transformers_is_an_extra(tmp_path: Path, code: str, spec: str, expected: str) -> None:
    """With the package its models are used through its public methods; without it the error says what to install."""
    (tmp_path / "sentence_transformers.py").write_text(code)
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", USE, spec]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    assert ended.stdout.strip() == expected
