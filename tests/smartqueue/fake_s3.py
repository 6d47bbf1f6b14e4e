"""Something that speaks S3 in this process: objects in memory, in parts too; signatures are only looked at."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI"
SIGNED = re.compile(
    rf"AWS4-HMAC-SHA256 Credential={KEY}/\d{{8}}/[\w-]+/s3/aws4_request, SignedHeaders=\S+, Signature=\w{{64}}"
)
IN_QUERY = {
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
}


@dataclass
class Bucket:
    """What is stored, and what was asked: (method, path, query)."""

    url: str
    objects: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    may_list: bool = True


class Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.key = unquote(parts.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.bucket.asked.append((self.command, self.key, self.query))
        if not (SIGNED.fullmatch(self.headers.get("Authorization") or "") or self.query.keys() >= IN_QUERY):
            self.answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            return
        getattr(self, f"on_{self.command.lower()}")(body)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any

    def on_put(self, body: bytes) -> None:
        if "uploadId" in self.query:
            self.bucket.parts[self.query["uploadId"]][int(self.query["partNumber"])] = body
        else:
            self.bucket.objects[self.key] = body
        self.answer(200, b"", ETag=f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')

    def on_post(self, body: bytes) -> None:
        if "uploads" in self.query:
            self.bucket.parts["u1"] = {}
            self.answer(200, b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
            return
        parts = self.bucket.parts.pop(self.query["uploadId"])
        self.bucket.objects[self.key] = b"".join(parts[number] for number in sorted(parts))
        self.answer(200, b'<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>')

    def on_get(self, body: bytes) -> None:
        if "prefix" in self.query:
            self.list(f"{self.key.rstrip('/')}/", self.query["prefix"])
            return
        found = self.bucket.objects.get(self.key)
        if found is None:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        says = {
            header: self.query[name]
            for name, header in (
                ("response-content-disposition", "Content-Disposition"),
                ("response-content-type", "Content-Type"),
            )
            if name in self.query
        }
        part = found[int(asked[1]) : int(asked[2]) + 1 if asked[2] else None] if asked else found
        if asked:
            says["Content-Range"] = f"bytes {asked[1]}-{int(asked[1]) + len(part) - 1}/{len(found)}"
        self.answer(206 if asked else 200, part, ETag='"x"', **says)

    def list(self, bucket: str, prefix: str) -> None:
        if not self.bucket.may_list:
            self.answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            return
        keys = [key.removeprefix(bucket) for key in self.bucket.objects if key.startswith(bucket + prefix)]
        found = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in sorted(keys))
        self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode())

    on_head = on_get

    def on_delete(self, body: bytes) -> None:
        if "uploadId" in self.query:
            self.bucket.parts.pop(self.query["uploadId"], None)
        self.bucket.objects.pop(self.key, None)
        self.answer(204, b"")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None: ...


@contextmanager
def serving_s3() -> Iterator[Bucket]:
    exchange = type("OwnExchange", (Exchange,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), exchange)
    server.daemon_threads = True
    exchange.bucket = Bucket(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield exchange.bucket  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()
