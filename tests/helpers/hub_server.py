"""A stand-in for the Hugging Face hub: the few routes that fetching and pushing a model need."""

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import patch
from urllib.parse import urlsplit

COMMIT = "a" * 40


class Hub:
    """Repositories by name, each a dict of file name to content; what was asked and pushed."""

    def __init__(self):
        self.repos: dict[str, dict[str, bytes]] = {}
        self.requests: list[str] = []
        self.status = 0  # answer everything with this, when set
        self.pushed: dict[str, bytes] = {}
        self.created: list[dict] = []
        self.url = ""

    def info(self, repo):
        files = [{"rfilename": name} for name in self.repos[repo]]
        return {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": files, "private": False}

    def tree(self, repo):
        return [
            {"type": "file", "path": name, "size": len(data), "oid": etag(data)}
            for name, data in self.repos[repo].items()
        ]


def etag(data):
    return hashlib.sha1(data).hexdigest()


def handler(hub):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def answer(self, status, body=b"", **headers):
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
                headers["Content-Type"] = "application/json"
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def missing(self, what):
            self.answer(404, {"error": what}, X_Error_Code=what, X_Error_Message=what)

        def do_GET(self):
            path = urlsplit(self.path).path.strip("/")
            hub.requests.append(f"{self.command} {path}")
            if hub.status:
                return self.answer(hub.status, {"error": "down"})
            parts = path.split("/")
            api = parts[:2] == ["api", "models"]
            repo = "/".join(parts[2:4] if api else parts[:2])
            if repo not in hub.repos:
                return self.missing("RepoNotFound")
            revision = parts[5] if api and len(parts) > 5 else parts[3] if len(parts) > 3 else ""
            if revision not in ("", "main", "v1", COMMIT):
                return self.missing("RevisionNotFound")
            if api:
                return self.answer(
                    200, hub.tree(repo) if parts[4:5] == ["tree"] else hub.info(repo)
                )
            data = hub.repos[repo].get("/".join(parts[4:]))
            if data is None:
                return self.missing("EntryNotFound")
            self.answer(200, data, ETag=f'"{etag(data)}"', X_Repo_Commit=COMMIT)

        do_HEAD = do_GET

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = urlsplit(self.path).path.strip("/")
            hub.requests.append(f"POST {path}")
            if hub.status:
                return self.answer(hub.status, {"error": "no"})
            if path == "api/repos/create":
                hub.created.append(json.loads(body))
                wanted = hub.created[-1]
                address = f"{hub.url}/{wanted['organization']}/{wanted['name']}"
                return self.answer(200, {"url": address})
            if path == "api/validate-yaml":
                return self.answer(200, {"errors": [], "warnings": []})
            if "/preupload/" in path:
                files = [
                    {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for f in json.loads(body)["files"]
                ]
                return self.answer(200, {"files": files})
            if "/commit/" in path:
                for line in body.splitlines():
                    item = json.loads(line)
                    if item["key"] == "file":
                        value = item["value"]
                        hub.pushed[value["path"]] = base64.b64decode(value["content"])
                repo = "/".join(path.split("/")[2:4])
                url = f"{hub.url}/{repo}/commit/{COMMIT}"
                return self.answer(200, {"commitUrl": url, "commitOid": COMMIT})
            self.missing("EntryNotFound")

    return Handler


@contextmanager
def running():
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        # Its first request would ask huggingface.co which coding agents there are.
        with patch("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True):
            yield hub
    finally:
        server.shutdown()
        server.server_close()
