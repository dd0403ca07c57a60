"""Requests and answers of the control socket: bodies read into their models, answers as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TypeVar

from aiohttp import web
from pydantic import ValidationError

from engine import __version__
from engine.errors import ConfigError
from engine.service import codec

COMMON_HEADERS = {
    codec.API_VERSION_HEADER: codec.API_VERSION,
    codec.CCR_VERSION_HEADER: __version__,
}
_Model = TypeVar("_Model", bound=codec.Body)


async def body_of(request: web.Request, model: type[_Model]) -> _Model:
    """Read a request's body; raises ConfigError saying what is wrong, but not with which value."""
    content = await request.read()
    try:
        return model.model_validate_json(content or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        cause = f"{at}: {first['msg']}" if at else first["msg"]
        raise ConfigError("reading the request", request.path, cause) from None


def answer(body: bytes, status: int = 200) -> web.Response:
    """Answer with JSON that is written already."""
    return web.Response(body=body, status=status, content_type=codec.JSON, headers=COMMON_HEADERS)


async def stream(request: web.Request, chunks: Iterable[bytes]) -> web.StreamResponse:
    """Answer with JSON in pieces, letting others in between."""
    response = web.StreamResponse(headers=COMMON_HEADERS)
    response.content_type = codec.JSON
    await response.prepare(request)
    for chunk in chunks:
        await response.write(chunk)
        await asyncio.sleep(0)  # write() alone yields only when the reader is slow
    await response.write_eof()
    return response
