"""Forms: read, check with the API's own schema, come back with what was typed."""

from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from market.errors import Invalid, MarketError
from market.settings import get_settings
from market.web.i18n import translate
from market.web.render import FLASH, wrap
from market.web.validation import by_field
from market.words import N_, Message

MOST_FIELDS = 5_000
Schema = TypeVar("Schema", bound=BaseModel)


class UnreadableForm(Invalid):
    message = N_("Kiriman formulir tidak terbaca. Muat ulang halaman dan coba lagi.")


@dataclass(frozen=True)
class FormData:
    """What was typed: last value of each field, every value of each field, and files."""

    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, UploadFile] = field(default_factory=dict)


async def read_form(request: Request) -> FormData:
    """Read a form body of either encoding."""
    try:
        form = await request.form(max_fields=MOST_FIELDS, max_files=10)
    except Exception as error:  # the parsers raise their own kinds, and UnicodeDecodeError
        raise UnreadableForm from error
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    files: dict[str, UploadFile] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            files[name] = value
        else:
            text = value.replace("\x00", "")
            values[name] = text
            lists.setdefault(name, []).append(text)
    return FormData(values, lists, files)


FormInput = Annotated[FormData, Depends(read_form)]


def checked(schema: type[Schema], form: FormData) -> tuple[Schema | None, dict[str, str]]:
    """Validate with `schema`; an empty field counts as not filled in. Returns (data, {}) or (None, errors)."""
    filled: dict[str, Any] = {k: v.strip() for k, v in form.values.items() if v.strip()}
    try:
        return schema.model_validate(filled), {}
    except ValidationError as error:
        return None, by_field(error.errors())


def problems(error: MarketError) -> dict[str, str]:
    """A refusal as `field → sentence`; "" holds the refusal itself."""
    return {"": translate(error.text)} | {name: translate(text) for name, text in error.fields.items()}


def redirect(url: str, done: Message | None = None) -> RedirectResponse:
    """See Other, with a sentence that the next page shows once."""
    response = RedirectResponse(quote(url, safe="/?&=%#:+,-._~"), 303)
    if done is not None:
        response.set_cookie(
            FLASH, wrap(translate(done)), max_age=60, httponly=True, samesite="lax", secure=get_settings().production
        )
    return response
