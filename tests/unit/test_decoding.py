"""Bytes into text: encodings by mark, by validity, by name, by detection."""
# ruff: noqa: RUF001 - letters of all scripts

from __future__ import annotations

import codecs

import pytest

from memplug.inputs.documents.decoding import decode, is_text

GERMAN = "Größe und Gewicht: Für Übergrößen gelten höhere Gebühren. Schöne Grüße aus der Königsallee in München."
FRENCH = "À la carte : les élèves français reçoivent des crêpes à Noël. Où est-ce que ça coûte ? L'œuvre a été déjà."
POLISH = "Zażółć gęślą jaźń. Wszystkie zwroty należy przesłać w ciągu trzydziestu dni, proszę dołączyć paragon."
CHINESE = "办公软件的采购限额为六百元，不是八百元。请在三十天内退货，并附上收据。"
TAIWANESE = "退貨必須在三十天內進行，請附上收據。辦公軟體的採購限額為六百元，不是八百元。"
JAPANESE = "返品は三十日以内にお願いします。領収書を添付してください。ありがとうございます。"
KOREAN = "반품은 30일 이내에 해야 합니다. 영수증을 첨부해 주십시오. 감사합니다."
RUSSIAN = "Возврат товара возможен в течение тридцати дней. Приложите, пожалуйста, чек."
GREEK = "Οι επιστροφές γίνονται μέσα σε τριάντα ημέρες. Παρακαλώ επισυνάψτε την απόδειξη."


@pytest.mark.parametrize("text", [GERMAN, CHINESE, JAPANESE, KOREAN, RUSSIAN, "plain ASCII", "emoji 👩‍👩‍👧"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_with_or_without_a_mark_is_read_exactly(text: str, encoding: str) -> None:
    """UTF-8, and UTF-8, UTF-16 and UTF-32 with their marks give the text, without the mark."""
    found = decode(text.encode(encoding))
    assert (found.text, found.warning) == (text, "")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_known_by_its_zeros(encoding: str) -> None:
    """Windows programs write it; it is neither taken for a binary file nor for UTF-8 with NULs."""
    data = GERMAN.encode(encoding)
    assert is_text(data)
    assert decode(data).text == GERMAN


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "latin-1"),
        (GERMAN, "cp1252"),
        (FRENCH, "cp1252"),
        (POLISH, "cp1250"),
        (GREEK, "cp1253"),
        (CHINESE, "gb18030"),
        (CHINESE, "gbk"),
        (TAIWANESE, "big5"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp"),
        (KOREAN, "euc_kr"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "cp1251"),
    ],
)
def test_older_encodings_are_detected(text: str, encoding: str) -> None:
    """A sentence or two are enough to know them by, alone and many times over."""
    for times in (1, 300):
        data = "\n".join([text] * times).encode(encoding)
        assert is_text(data[:8_192])
        assert decode(data).text == "\n".join([text] * times)


def test_the_encoding_that_a_document_names_is_used() -> None:
    """Two words are too few to detect; what the document says of itself decides then."""
    assert decode("Привет мир".encode("koi8-r"), named="KOI8-R").text == "Привет мир"
    assert decode("€ 5 – “x”".encode("cp1252"), named="ISO-8859-1").text == "€ 5 – “x”"
    assert decode("深圳".encode("gb18030"), named="gb2312").text == "深圳"


@pytest.mark.parametrize(
    "named", ["utf-7", "idna", "punycode", "unicode_escape", "rot13", "zlib", "no-such", "a\0b", ""]
)
def test_a_name_that_is_no_files_encoding_is_ignored(named: str) -> None:
    """Codecs that Python has for other ends are not run on a document because it says so."""
    assert decode(GERMAN.encode("cp1252"), named=named).text == GERMAN


@pytest.mark.parametrize("text", ["Привет мир", "Купить молоко и хлеб", "Größe 5"])
@pytest.mark.parametrize("encoding", ["koi8-r", "cp1251", "cp1252"])
def test_a_guess_is_called_one(text: str, encoding: str) -> None:
    """A few words fit several encodings, and the wrong one may be taken; so it is said that it is a guess."""
    data = text.encode(encoding, "ignore")
    found = decode(data + b"\xe9" * (data.isascii()))
    assert (
        f"the encoding is a guess, the text being short; it was read as {found.encoding.upper()[:3]}" in found.warning
    )
    assert decode(RUSSIAN.encode("koi8-r")).warning == decode(text.encode()).warning == ""


def test_utf8_wins_over_what_a_document_names() -> None:
    """Pages in UTF-8 that say "latin-1" are common; valid UTF-8 is hardly ever anything else."""
    assert decode(GERMAN.encode(), named="iso-8859-1").text == GERMAN


def test_a_few_foreign_bytes_do_not_spoil_a_file() -> None:
    """A line in Windows-1252 pasted into a file in UTF-8 is read as meant, with a warning."""
    found = decode(GERMAN.encode() * 3 + "\nKöln".encode("cp1252"))
    assert found.text == GERMAN * 3 + "\nKöln"
    assert "no UTF-8" in found.warning


def test_a_cut_off_file_keeps_what_is_there() -> None:
    """UTF-16 that ends inside a character loses that one only."""
    found = decode(codecs.BOM_UTF16_LE + GERMAN.encode("utf-16-le")[:-1])
    assert found.text == GERMAN[:-1]
    assert found.warning


def test_line_ends_become_line_feeds() -> None:
    """Windows' and old Macs' line ends are those of everybody else."""
    assert decode(b"a\r\nb\rc\nd").text == "a\nb\nc\nd"


def test_what_no_encoding_explains_is_read_with_a_warning() -> None:
    """Bytes of no encoding at all give some text, and say that it is a guess."""
    found = decode(b"some words \x81\x8d\x8f\x90\x9d " * 20)
    assert "some words" in found.text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"words\n\twith tabs\x0c and \x1b[31mcolours\x1b[0m", True),
        (b"a log that was cut off\0\0", True),
        (b"", True),
        (bytes(range(256)) * 8, False),
        (b"\0" * 100, False),
        (b"\x01\0\x02\0\x03\0\x04\0\x05\0\x06\0" * 20, False),
    ],
)
def test_text_is_told_from_binary_files(data: bytes, text: bool) -> None:
    """Controls of terminals and a stray NUL are text; many controls are not."""
    assert is_text(data) is text
