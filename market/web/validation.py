"""What Pydantic refused, said as a person would say it, in the language of the request."""

from collections.abc import Iterable
from typing import Any

from market.web.i18n import translate
from market.words import N_, Message, say

_SENTENCES: dict[str, str] = {
    "missing": N_("Wajib diisi."),
    "string_too_short": N_("Terlalu pendek, paling sedikit {min_length} huruf."),
    "string_too_long": N_("Terlalu panjang, paling banyak {max_length} huruf."),
    "string_pattern_mismatch": N_("Bentuknya belum benar."),
    "greater_than": N_("Harus lebih dari {gt}."),
    "greater_than_equal": N_("Paling kecil {ge}."),
    "less_than": N_("Harus kurang dari {lt}."),
    "less_than_equal": N_("Paling besar {le}."),
    "enum": N_("Pilih salah satu: {expected}."),
    "literal_error": N_("Pilih salah satu: {expected}."),
    "json_invalid": N_("Isi kiriman bukan JSON yang benar."),
    "extra_forbidden": N_("Kolom ini tidak dikenal."),
}
_KINDS = (
    ("int", N_("Isi dengan angka bulat.")),
    ("float", N_("Isi dengan angka.")),
    ("bool", N_("Isi dengan ya atau tidak.")),
    ("date", N_("Isi dengan tanggal yang ada, misalnya 2026-11-24.")),
    ("time", N_("Isi dengan jam, misalnya 06:00.")),
    ("uuid", N_("Bentuknya belum benar.")),
    ("string", N_("Isi dengan tulisan.")),
)
OTHER = N_("Isian ini belum benar.")


def sentence(error: Any) -> Message:
    """One Pydantic error as a message. A ValueError raised with a `Message` speaks for itself."""
    kind = str(error["type"])
    context = {k: v for k, v in (error.get("ctx") or {}).items() if isinstance(v, (str, int, float))}
    cause = (error.get("ctx") or {}).get("error")
    if isinstance(cause, ValueError) and cause.args and isinstance(cause.args[0], Message):
        return cause.args[0]
    if kind in _SENTENCES:
        return Message(_SENTENCES[kind], context)
    for prefix, msgid in _KINDS:
        if kind.startswith(prefix):
            return say(msgid)
    return say(OTHER)


def by_field(errors: Iterable[Any], *, skip: tuple[str, ...] = ()) -> dict[str, str]:
    """Errors as `field → sentence`; nested fields are joined by dots; "" is the whole."""
    found: dict[str, str] = {}
    for error in errors:
        name = ".".join(str(part) for part in error["loc"] if part not in skip)
        found.setdefault(name, translate(sentence(error)))
    return found
