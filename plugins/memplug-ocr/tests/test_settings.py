"""Settings: in arguments and in the environment, and what is wrong with them."""

from __future__ import annotations

import pytest

from memplug import Memory
from memplug.exceptions import ConfigError
from memplug_ocr import Settings
from memplug_ocr.settings import _RANGES


def test_each_can_be_set_in_the_environment() -> None:
    """By its name; what is not set, or empty, has its default."""
    environ = {"MEMPLUG_OCR_MIN_CONFIDENCE": "0.8", "MEMPLUG_OCR_WORKERS": " 2 ", "MEMPLUG_OCR_SIDE": ""}
    assert Settings.from_environ(environ) == Settings(min_confidence=0.8, workers=2)


@pytest.mark.parametrize("name", sorted(_RANGES))
def test_each_has_a_range(name: str) -> None:
    """The least and the most are taken, and nothing beyond; the error names the setting and the range."""
    least, most = _RANGES[name]
    for value in (least, most):
        assert getattr(Settings(**{name: value}), name) == value  # type: ignore[arg-type]  # what whole numbers equal
    for wrong in (least - 1, most + 1, True, None, "2"):
        with pytest.raises(ConfigError, match=rf"{name} .* {least:g} to {most:g}"):
            Settings(**{name: wrong})  # type: ignore[arg-type]  # values that a type checker refuses


@pytest.mark.parametrize("value", ["many", "1.5", "nan"])
def test_a_variable_that_is_no_number_is_an_error(value: str) -> None:
    """It names the variable."""
    with pytest.raises(ConfigError, match="MEMPLUG_OCR_WORKERS"):
        Settings.from_environ({"MEMPLUG_OCR_WORKERS": value})
    with pytest.raises(ConfigError, match="min_confidence"):
        Settings.from_environ({"MEMPLUG_OCR_MIN_CONFIDENCE": "nan"})


def test_a_wrong_setting_costs_only_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memories are stored without it, and the list of plugins says why."""
    import memplug_ocr

    monkeypatch.setenv("MEMPLUG_OCR_THREADS", "0")
    with Memory("memory://", plugins=[memplug_ocr], embedder="hashing:64") as memory:
        assert memory.add("tea", user_id="u").ids
        memory.engine.plugins.describers()
        reasons = [info.reason for info in memory.engine.plugins.plugins() if "ocr" in info.name]
    assert "threads of memplug-ocr must be 1 to 64" in str(reasons)
