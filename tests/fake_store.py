"""A store such as Google's, in memory: what gcsfs and TensorStore ask of one over HTTP, no more.

Both talk to it where the environment variables of `environment` are set, and then believe that
`gs://BUCKET/...` is a bucket of the real one.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c  # of gcsfs

BUCKET = 'bucket'


class Store(ThreadingHTTPServer):
    """The objects of one bucket."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), _Handler)
        self.objects: dict[str, tuple[bytes, int]] = {}  # name -> content and its generation
        self.checksums: dict[str, str] = {}  # of the contents, as they came
        self.patience = 0.0  # seconds before a content is sent
        self.sent: list[str] = []  # the names of objects whose content was asked for
        self.uploads: dict[str, tuple[str, bytearray]] = {}  # of several requests, by number
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of a process that is to use this store."""
        url = f'http://127.0.0.1:{self.server_address[1]}'
        return {'STORAGE_EMULATOR_HOST': url, 'TENSORSTORE_GCS_HTTP_URL': url}

    def put(self, name: str, content: bytes) -> dict[str, str]:
        """Keeps an object; returns what the store says of it."""
        self.objects[name] = content, next(self.numbers)
        digest = google_crc32c.Checksum(content).digest()
        self.checksums[name] = base64.b64encode(digest).decode()
        return self.about(name)

    def about(self, name: str) -> dict[str, str]:
        """What the store says of an object."""
        content, generation = self.objects[name]
        return {
            'kind': 'storage#object', 'bucket': BUCKET, 'name': name, 'id': name,
            'size': str(len(content)), 'generation': str(generation), 'metageneration': '1',
            'contentType': 'application/octet-stream', 'storageClass': 'STANDARD',
            'timeCreated': '2026-01-01T00:00:00.000Z', 'updated': '2026-01-01T00:00:00.000Z',
            'crc32c': self.checksums[name],
        }  # fmt: skip


@contextlib.contextmanager
def running() -> Iterator[Store]:
    """A store that answers."""
    store = Store()
    thread = threading.Thread(target=store.serve_forever, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        store.shutdown()
        store.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server: Store

    def log_message(self, *_):
        """Nothing is logged."""

    def do_GET(self):
        name, query = self._asked()
        if name is None:
            self._list(query) if self.path.split('?')[0].endswith('/o') else self._json(
                {'name': BUCKET}
            )
        elif name not in self.server.objects:
            self._reply(404, b'{}')
        elif query.get('alt') == 'media':
            self._media(name, query)
        else:
            self._json(self.server.about(name))

    def do_POST(self):
        body, (_, query) = self._body(), self._asked()
        with self.server.lock:
            if '/resume/' in self.path:
                self._resume(body)
            elif '/batch/' in self.path:
                self._batch(body)
            elif match := re.search(r'/(?:rewriteTo|copyTo)/b/[^/]+/o/([^/?]+)', self.path):
                source = unquote(self.path.split('/o/')[1].split('/')[0])
                about = self.server.put(unquote(match[1]), self.server.objects[source][0])
                self._json({'done': True, 'resource': about})
            elif query.get('uploadType') == 'multipart':
                mark = re.search('boundary="?([^";]+)', self.headers['Content-Type'])[1].encode()
                parts = [part.partition(b'\r\n\r\n')[2] for part in body.split(b'--' + mark)]
                described = json.loads(parts[1])
                self._json(self.server.put(described['name'], parts[2].removesuffix(b'\r\n')))
            elif query.get('uploadType') == 'resumable':
                number = str(next(self.server.numbers))
                target = query.get('name') or json.loads(body)['name']
                self.server.uploads[number] = target, bytearray()
                place = f'{self.server.environment["STORAGE_EMULATOR_HOST"]}/resume/{number}'
                self._reply(200, b'{}', {'Location': place})
            elif 'name' not in query:
                self._reply(400, b'{}')
            elif self._may_write(query['name'], query):
                self._json(self.server.put(query['name'], body))

    def do_PUT(self):
        body = self._body()
        with self.server.lock:
            self._resume(body)

    def _resume(self, body: bytes):
        """Takes a further piece of an upload; the last one says how long the whole is."""
        name, content = self.server.uploads[self.path.split('?')[0].rsplit('/', 1)[-1]]
        content += body
        if self.headers['Content-Range'].endswith('*'):
            self._reply(308, b'', {'Range': f'bytes=0-{len(content) - 1}'})
        else:
            self._json(self.server.put(name, bytes(content)))

    def do_DELETE(self):
        name, _ = self._asked()
        with self.server.lock:
            there = self.server.objects.pop(name, None)
        self._reply(204 if there else 404, b'')

    def _may_write(self, name, query) -> bool:
        """Whether the object is of the generation that the writer believes it to have."""
        expected = query.get('ifGenerationMatch')
        now = self.server.objects.get(name, (b'', 0))[1]
        if expected is not None and int(expected) != now:
            self._reply(412, b'{}')
            return False
        return True

    def _asked(self):
        """The object's name, None for the bucket, and the query."""
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        _, found, name = parts.path.partition('/o/')
        return (unquote(name) if found else None), query

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get('Content-Length') or 0))

    def _media(self, name, query):
        content, generation = self.server.objects[name]
        headers = {'x-goog-generation': str(generation), 'Accept-Ranges': 'bytes'}
        if query.get('ifGenerationNotMatch') == str(generation):
            self._reply(304, b'', headers)
            return
        self.server.sent.append(name)
        time.sleep(self.server.patience)
        span = re.fullmatch(r'bytes=(\d*)-(\d*)', self.headers.get('Range') or '')
        if span is None:
            self._reply(200, content, headers)
            return
        size = len(content)
        start = int(span[1]) if span[1] else size - int(span[2])
        stop = min(int(span[2]) + 1, size) if span[1] and span[2] else size
        if start >= size:
            self._reply(416, b'', {'Content-Range': f'bytes */{size}'})
            return
        headers['Content-Range'] = f'bytes {start}-{stop - 1}/{size}'
        self._reply(206, content[start:stop], headers)

    def _list(self, query):
        prefix, delimiter = query.get('prefix', ''), query.get('delimiter')
        items, prefixes = [], set()
        with self.server.lock:
            for name in sorted(self.server.objects):
                if not name.startswith(prefix) or name < query.get('startOffset', ''):
                    continue
                if 'endOffset' in query and name >= query['endOffset']:
                    continue
                rest = name[len(prefix) :]
                if delimiter and delimiter in rest:
                    prefixes.add(prefix + rest.split(delimiter)[0] + delimiter)
                else:
                    items.append(self.server.about(name))
        self._json({'kind': 'storage#objects', 'items': items, 'prefixes': sorted(prefixes)})

    def _batch(self, body: bytes):
        """Deletes several objects; the answer has a part for each."""
        answer = b''
        for number, path in enumerate(re.findall(rb'DELETE (\S+)', body)):
            name = unquote(path.decode().split('/o/')[1].split('?')[0])
            there = self.server.objects.pop(name, None)
            code = b'204 No Content' if there else b'404 Not Found'
            answer += b'--part\r\nContent-Type: application/http\r\nContent-ID: <response-'
            answer += str(number + 1).encode() + b'>\r\n\r\nHTTP/1.1 ' + code + b'\r\n\r\n\r\n'
        self._reply(200, answer + b'--part--', {'Content-Type': 'multipart/mixed; boundary=part'})

    def _json(self, content):
        self._reply(200, json.dumps(content).encode(), {'Content-Type': 'application/json'})

    def _reply(self, code, content, headers=()):
        self.send_response(code)
        for key, value in {**dict(headers), 'Content-Length': str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)
