"""Files under /static: compressed where the browser can, kept for ever under an address with a version, asked anew without one."""

import gzip
import os
from functools import lru_cache
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

TEXT = (".css", ".js", ".svg")
FOREVER = "public, max-age=31536000, immutable"


class VersionedFiles(StaticFiles):
    """`render.static()` makes the versions: the hash of the content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file; gzipped for text where it is accepted."""
        response = await super().get_response(path, scope)
        if response.status_code not in (200, 206, 304):
            return response
        versioned = b"v" in parse_qs(scope["query_string"])
        kept = FOREVER if versioned else "public, no-cache"
        response.headers["cache-control"] = kept
        if not path.endswith(TEXT):
            return response
        response.headers["vary"] = "Accept-Encoding"
        accepted = Headers(scope=scope).get("accept-encoding", "")
        if not isinstance(response, FileResponse) or "gzip" not in accepted or "range" in Headers(scope=scope):
            return response
        content = _gzipped(str(response.path), os.stat(response.path).st_mtime_ns)
        headers = {
            "content-encoding": "gzip",
            "etag": response.headers["etag"],
            "cache-control": kept,
            "vary": "Accept-Encoding",
        }
        return Response(content if scope["method"] == "GET" else b"", 200, headers, response.media_type)


@lru_cache(maxsize=256)
def _gzipped(path: str, changed: int) -> bytes:
    """The file's content, compressed once for each state of it."""
    with open(path, "rb") as file:
        return gzip.compress(file.read(), 9, mtime=0)
