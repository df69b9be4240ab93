"""A back end in Python, with the standard library: it answers the event `add`, and tells everybody.

    python3 examples/backends/python/server.py
"""

import base64
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ.get("ROOMCAST_SECRET", "a secret of at least 24 bytes").encode()
PORT = int(os.environ.get("PORT", "8001"))
# Requests that are older, or have another clock, are refused, so that none can be repeated.
TOLERATED_SECONDS = 300


def is_signed(headers, body):
    """Whether Roomcast has sent this: the Standard Webhooks specification."""
    identity, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERATED_SECONDS:
        return False
    signed = f"{identity}.{timestamp}.".encode() + body
    digest = hmac.new(SECRET, signed, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected, signature) for signature in given)


def answer(call):
    if call["type"] != "event" or call["event"] != "add":
        return {}
    args = call["args"]
    if not all(type(arg) in (int, float) for arg in args):
        return {"refuse": {"code": "not_numbers", "message": "`add` takes numbers"}}
    told = {"event": "sum", "args": [sum(args)], "to": {"space": True}, "except": call["connection"]}
    return {"ack": [sum(args)], "do": [{"emit": told}]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # Roomcast keeps its connections

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = is_signed(self.headers, body)
        content = json.dumps(answer(json.loads(body))).encode() if signed else b""
        self.send_response(200 if signed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    print(f"http://127.0.0.1:{PORT}", flush=True)
    server.serve_forever()
